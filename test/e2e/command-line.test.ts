/** The command as users meet it: what it prints, what it returns, and how its errors read. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, millstream, startNode } from './command.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TEN = 'test/jobs/ten-records.ts';
const TEN_LINES = '1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n';

/** A user's directory, with the packages beside the programs. */
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-user-'));
  mkdirSync(join(directory, 'node_modules'));
  for (const name of ['millstream', '@millstream']) symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Runs a program of the user's. */
async function runText(name: string, text: string, words: readonly string[] = [], command = 'run'): Promise<Ended> {
  writeFileSync(join(directory, name), text);
  return await millstream(
    [command, ...(command === 'run' ? ['--no-progress'] : []), ...(words.includes('--') ? [name, ...words] : [...words, name])],
    { cwd: directory },
  );
}

describe('millstream run', () => {
  it('prints what the job prints, and nothing else but its progress where it takes long', async () => {
    const { code, stdout, stderr } = await millstream(['run', TEN]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: TEN_LINES });
    expect(stderr).toMatch(/^(?:Job "ten-records" is running\.\n(?:[\d.]+ s, 10 records read, .*\n)*Finished after .*\.\n)?$/);
  });

  it('hands program arguments over', async () => {
    const { stdout } = await millstream(['run', '-p', '2', TEN, '--', '--factor', '10']);
    expect(
      stdout
        .replaceAll(/^\d+> /gm, '')
        .trim()
        .split('\n')
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  });

  it('runs the script form, with enums, decorators and arguments, and evaluates its output once', async () => {
    const { code, stdout, stderr } = await runText(
      'script.ts',
      `import { StreamExecutionEnvironment } from 'millstream';
       import { scale } from './lib/scale.js';
       enum Unit { Meter = 1, Kilometer = 1000 }
       function logged<T>(method: T, _context: ClassMethodDecoratorContext): T { return method; }
       class Length { @logged in(unit: Unit): number { return scale(unit); } }
       console.log('building', process.argv.slice(2).join(' '));
       const env = StreamExecutionEnvironment.getExecutionEnvironment();
       const factor = Number(process.argv[3]);
       env.fromElements(1, 2).map((value) => value * factor * new Length().in(Unit.Kilometer)).print();
       const result = await env.execute('script');
       console.log('ended', result.jobName);`,
      ['--', 'by', '3'],
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'building by 3\n3000\n6000\nended script\n', stderr: '' });
  });

  it('waits for a job that the script does not wait for', async () => {
    const { code, stdout } = await runText(
      'floating.ts',
      `import { StreamExecutionEnvironment } from 'millstream';
       const env = StreamExecutionEnvironment.getExecutionEnvironment();
       env.fromElements(1, 2).print();
       void env.execute('floating').then(() => console.log('ended'));`,
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: '1\n2\nended\n' });
  });

  it('ends an endless job where what was asked for is collected, and keeps no checkpoint of it', async () => {
    const { code, stdout } = await runText(
      'collect.ts',
      `import { DataGeneratorSource, StreamExecutionEnvironment, WatermarkStrategy } from 'millstream';
       const env = StreamExecutionEnvironment.getExecutionEnvironment();
       const source = new DataGeneratorSource((index) => index, 1e9, { recordsPerSecond: 1000 });
       const numbers = env.fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers').uid('numbers');
       console.log(await numbers.map((value) => value * 2).executeAndCollect('collect', 3));`,
      ['--checkpoint-dir', 'collect-checkpoints', '--checkpoint-interval', '50 ms'],
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: '[ 0, 2, 4 ]\n' });
    expect(readdirSync(join(directory, 'collect-checkpoints'))).toEqual([]);
  });

  it('gives each module its own import.meta', async () => {
    const { code, stdout } = await runText(
      'located.ts',
      `import { defineJob } from 'millstream';
       import { place } from './lib/scale.js';
       const here = import.meta.url;
       export default defineJob((env) => void env.fromElements(place, here).map((url) => url.split('/').slice(-2).join('/')).print());`,
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: `lib/scale.ts\n${directory.split('/').at(-1)}/located.ts\n` });
  });

  it('leaves no bundle behind', () => {
    expect(readdirSync(join(directory, 'node_modules', '.cache', 'millstream'))).toEqual([]);
  });
});

beforeAll(() => {
  mkdirSync(join(directory, 'lib'));
  writeFileSync(
    join(directory, 'lib', 'scale.ts'),
    'export const place: string = import.meta.url;\nexport function scale(unit: number): number {\n  return unit;\n}\n',
  );
});

describe('errors in programs', () => {
  it('name the line that does not parse', async () => {
    const { code, stderr } = await runText('syntax.ts', 'const a = 1;\nconst b: number = ;\n');
    expect(code).toBe(1);
    expect(stderr).toBe('error PROGRAM_INVALID: Cannot run "syntax.ts", it does not build:\n  syntax.ts:2:19: Unexpected ";"\n');
  });

  it('name a package that is not there, and how to install it', async () => {
    const { code, stderr } = await runText('missing.ts', "import { x } from '@some/package/x.js';\nconsole.log(x);\n");
    expect(code).toBe(1);
    expect(stderr).toContain('missing.ts:1:19: Could not resolve "@some/package/x.js". Is it installed? npm install @some/package\n');
  });

  it.each([
    ['at its top level', 'interface A { b?: { c: string } }\nconst a: A = {};\n\nconsole.log(a.b!.c);\n', 'thrown.ts:4:18'],
    [
      'in defineJob',
      "import { defineJob } from 'millstream';\ninterface A { b?: { c: string } }\nexport default defineJob(() => {\n  const a: A = {};\n  console.log(a.b!.c);\n});\n",
      'thrown.ts:5:20',
    ],
  ])('show the line of a program that throws %s', async (_, text, place) => {
    const { code, stdout, stderr } = await runText('thrown.ts', text);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const [head, frame, ...more] = stderr.trimEnd().split('\n');
    expect(head).toBe("error: TypeError: Cannot read properties of undefined (reading 'c')");
    expect(frame).toContain(place);
    expect(more).toEqual([]);
  });

  it("name operator, uid, subtask and record, and show only the user's lines", async () => {
    const { code, stdout, stderr } = await runText(
      'fails.ts',
      `import { defineJob } from 'millstream';

interface Reading { readonly value: number }

function check(reading: Reading): Reading {
  if (reading.value === 3) throw new RangeError(\`value \${reading.value} is out of range\`);
  return reading;
}

export default defineJob((env) => {
  env.fromElements<Reading>({ value: 1 }, { value: 2 }, { value: 3 }).map((reading) => check(reading)).name('check').uid('check').print();
});
`,
    );
    // What was printed before the failure is not lost.
    expect({ code, stdout }).toEqual({ code: 1, stdout: '{ value: 1 }\n{ value: 2 }\n' });
    expect(stderr.split('\n')).toEqual([
      "error OPERATOR_FAILED: Operator 'check' (uid 'check'), subtask 0 failed at record 2 of split 'collection': value 3 is out of range",
      '    at check (fails.ts:6:34)',
      '    at <anonymous> (fails.ts:11:88)',
      '',
    ]);
  });

  it('say what a program without a job lacks', async () => {
    const { code, stderr } = await runText(
      'nothing.ts',
      "import { defineJob } from 'millstream';\ndefineJob((env) => void env.fromElements(1).print());\n",
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error INVALID_PLAN: .*export default defineJob\(…\)/);
  });

  it('refuse a second execute', async () => {
    const { code, stderr } = await runText(
      'twice.ts',
      `import { StreamExecutionEnvironment } from 'millstream';
       for (const name of ['first', 'second']) {
         const env = StreamExecutionEnvironment.getExecutionEnvironment();
         env.fromElements(name).print();
         await env.execute(name);
       }`,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error ALREADY_EXECUTED: Cannot execute job "second"/);
  });

  it('end the process where a program throws on its own time', async () => {
    const { code, stderr } = await runText(
      'timer.ts',
      `import { DataGeneratorSource, defineJob, WatermarkStrategy } from 'millstream';
       setTimeout(() => { throw new Error('too late'); }, 50);
       export default defineJob((env) => void env.fromSource(new DataGeneratorSource((i) => i, 1e6, { recordsPerSecond: 10 }), WatermarkStrategy.noWatermarks<number>(), 'slow').print());`,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: Error: too late\n {4}at .*timer\.ts:2:/);
  });
});

describe('wrong usage', () => {
  it.each([
    [[], 'Usage: millstream'],
    [['bogus'], "unknown command 'bogus'"],
    [['run'], "missing required argument 'program'"],
    [['run', TEN, '--bogus'], "unknown option '--bogus'"],
    [['run', TEN, '--factor', '2'], 'Arguments of the program itself follow after --.'],
    [['run', TEN, 'extra'], 'Cannot read the program argument "extra"'],
    [['run', '-p', '0', TEN], 'It must be a whole number of at least 1.'],
    [['run', '-D', 'parallelism', TEN], 'It must be key=value.'],
    [['run', '-D', 'paralelism.default=2', TEN], 'Did you mean "parallelism.default"?'],
    [['run', '--checkpoint-interval', 'soon', TEN], 'Cannot set option "execution.checkpointing.interval" to "soon"'],
    [['run', '--detached', TEN], 'Cannot use --detached without --jobmanager'],
    [['run', '--json', TEN], 'Cannot use --json without --jobmanager'],
    [['run', '--jobmanager', 'localhost:1', '--check', TEN], 'Cannot use --check on a cluster'],
    [['run', '--jobmanager', 'localhost:1', '--no-progress', TEN], 'Cannot use --no-progress on a cluster'],
    [['run', '--jobmanager', 'localhost:1', '-D', 'taskmanager.numberOfTaskSlots=2', TEN], 'it is read by the taskmanager'],
    [['list', '--jobmanager', 'localhost:1', '-D', 'pipeline.name=other'], 'Cannot use -D pipeline.name here'],
    [['certs', 'no-such-directory', '--host', 'one:1'], "'one:1' is neither a host name nor an IP address"],
    [['list', '--jobmanager', 'a b'], "a b': it is no address"],
    [['run', 'no-such-program.ts'], 'there is no such file'],
    [['run', 'test'], 'it is a directory'],
  ])('millstream %j returns 2 and says why', async (words, message) => {
    const { code, stdout, stderr } = await millstream(words);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it.each([['--help'], ['run', '--help'], ['explain', '--help'], ['--version']])('millstream %s %s is none', async (...words) => {
    const { code, stdout, stderr } = await millstream(words.filter((word) => word !== undefined));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(words.includes('--version') ? /^\d+\.\d+\.\d+\n$/ : /^Usage: millstream/);
  });
});

describe('millstream explain', () => {
  it('prints plan and chains, and runs nothing', async () => {
    const { code, stdout, stderr } = await millstream(['explain', TEN]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Plan of "ten-records": 3 operators');
    expect(stdout).toContain('[1] Source: collection -> map -> Sink: print');
  });

  it('prints JSON of a script, up to its execute', async () => {
    const { code, stdout } = await runText(
      'explained.ts',
      `import { StreamExecutionEnvironment } from 'millstream';
       const env = StreamExecutionEnvironment.getExecutionEnvironment();
       env.fromElements(1).print();
       await env.execute('explained');
       console.log('never');`,
      ['--json'],
      'explain',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ plan: { jobName: 'explained' } });
  });
});

describe('plain node', () => {
  const compiled = join(ROOT, 'test/dist/jobs/ten-records.js');

  it('runs a program whose default export is a job, with its parameters', async () => {
    const { code, stdout, stderr } = await startNode([compiled, '--factor', '2']).ended;
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '2\n4\n6\n8\n10\n12\n14\n16\n18\n20\n', stderr: '' });
  });

  it.each(['await import(process.env.JOB);', 'const { default: job } = await import(process.env.JOB); export default { job };'])(
    'runs no job that is not the default export of the main module: %s',
    async (text) => {
      writeFileSync(join(directory, 'other.mjs'), text);
      const { code, stdout, stderr } = await startNode(['other.mjs'], { cwd: directory, env: { JOB: compiled } }).ended;
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
    },
  );

  it('returns 1 and names the error of a job that fails', async () => {
    const { code, stderr } = await startNode([compiled, 'extra']).ended;
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error INVALID_ARGUMENT: Cannot read the program argument "extra"/),
    });
  });

  it('runs the script form', async () => {
    writeFileSync(
      join(directory, 'plain.mjs'),
      `import { StreamExecutionEnvironment } from 'millstream';
       const env = StreamExecutionEnvironment.getExecutionEnvironment();
       env.fromElements(1, 2).map((value) => value * 2).print();
       await env.execute('plain');
       console.log(process.argv[2]);`,
    );
    const { code, stdout, stderr } = await startNode(['plain.mjs', 'over'], { cwd: directory }).ended;
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '2\n4\nover\n', stderr: '' });
  });
});

describe('completion', () => {
  async function completed(...words: readonly string[]): Promise<readonly string[]> {
    const { code, stdout, stderr } = await millstream(['complete', '--', ...words]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0] as string]));
  }

  it.each(['bash', 'zsh', 'fish'])('prints what %s loads', async (shell) => {
    const { code, stdout } = await millstream(['completion', shell]);
    expect(code).toBe(0);
    expect(stdout).toContain('millstream complete --');
  });

  it('knows commands and flags, and leaves files to the shell', async () => {
    expect(await completed('sav')).toEqual(['savepoint', ':4']);
    expect(await completed('run', '--checkpoint-')).toEqual(['--checkpoint-dir', '--checkpoint-interval', ':4']);
    expect(await completed('cluster', 'st')).toEqual(['start', ':4']);
    expect(await completed('run', 'test/jo')).toEqual([':0']);
    expect(await completed('list', '--config', '')).toEqual([':0']);
  });

  it('is silent about jobs where no cluster answers', async () => {
    expect(await completed('cancel', '--jobmanager', 'localhost:1', '')).toEqual([':4']);
  });

  it('says which shells there are', async () => {
    const { code, stderr } = await millstream(['completion', 'tcsh']);
    expect(code).toBe(2);
    expect(stderr).toContain('Allowed choices are zsh, bash, fish');
    expect((await millstream(['--help'])).stdout).toContain('completion <shell>');
  });
});
