/** What a program sees while it builds its graph: the same in the client and in every slot; and what it must not do there. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, millstream } from './command.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-evaluation-'));
  mkdirSync(join(directory, 'node_modules'));
  for (const name of ['millstream', '@millstream']) symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function run(text: string, words: readonly string[] = [], parallelism = '3'): Promise<Ended> {
  writeFileSync(join(directory, 'program.ts'), text);
  return await millstream(['run', '--no-progress', '-p', parallelism, 'program.ts', ...words], { cwd: directory });
}

const SEEN = `const seen = JSON.stringify([Date.now(), new Date().toISOString(), Date().length > 0, Math.random(), Math.random(), process.argv.slice(2)]);`;

describe('clock, chance and arguments', () => {
  it('of the script form are the same in the client and in three slots, and real again afterwards', async () => {
    const { code, stdout, stderr } = await run(
      `import { StreamExecutionEnvironment } from 'millstream';
       const RealDate = Date;
       ${SEEN}
       const env = StreamExecutionEnvironment.getExecutionEnvironment();
       env.fromSequence(0, 8).rebalance().map((value) => {
         // While records flow both are real: two readings differ sooner or later.
         const start = Date.now();
         while (Date.now() === start);
         return 'slot ' + JSON.stringify({ value, seen, real: Math.random(), days: new Date().getTime() - start < 60_000 });
       }).print();
       const before = Date.now();
       await env.execute('seen');
       console.log('client ' + JSON.stringify({ seen, moved: Date.now() > before, real: Math.random(), sameDate: new Date() instanceof RealDate && new RealDate() instanceof Date }));`,
      ['--', 'a', '--b'],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/^\d+> /, ''));
    const slots = lines
      .filter((line) => line.startsWith('slot'))
      .map((line) => JSON.parse(line.slice(5)) as { seen: string; real: number; days: boolean });
    const client = JSON.parse(lines.find((line) => line.startsWith('client'))?.slice(7) ?? '') as {
      seen: string;
      moved: boolean;
      sameDate: boolean;
    };
    expect(slots.length).toBe(9);
    expect(new Set([...slots, client].map(({ seen }) => seen)).size).toBe(1);
    const [now, text, , first, second, argv] = JSON.parse(client.seen) as [number, string, boolean, number, number, string[]];
    expect(Math.abs(now - statSync(join(directory, 'program.ts')).mtimeMs)).toBeLessThan(60_000);
    expect(text).toBe(new Date(now).toISOString());
    expect(first).not.toBe(second);
    expect(argv).toEqual(['a', '--b']);
    expect(new Set(slots.map(({ real }) => real)).size).toBe(9);
    expect(slots.every(({ days }) => days)).toBe(true);
    expect(client).toMatchObject({ moved: true, sameDate: true });
  });

  it('of defineJob are too', async () => {
    const { code, stdout } = await run(
      `import { defineJob } from 'millstream';
       const outside = Math.random();
       export default defineJob((env) => {
         ${SEEN}
         console.log('built ' + seen);
         env.fromSequence(0, 8).rebalance().map(() => seen + outside).print();
       });`,
    );
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines.filter((line) => line.startsWith('built')).length).toBe(1);
    const printed = lines.filter((line) => !line.startsWith('built')).map((line) => line.replace(/^\d+> /, ''));
    expect(printed.length).toBe(9);
    expect(new Set(printed).size).toBe(1);
    expect(printed[0]).toContain(lines.find((line) => line.startsWith('built'))?.slice(6, -1));
  });

  it('differ from run to run', async () => {
    const text = `import { defineJob } from 'millstream';\nconst chance = Math.random();\nexport default defineJob((env) => void env.fromElements(chance).print());`;
    expect((await run(text)).stdout).not.toBe((await run(text)).stdout);
  });
});

/** A program that does something while it builds its graph. */
function program(statement: string): string {
  return `import { StreamExecutionEnvironment } from 'millstream';
import * as fs from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { isMainThread } from 'node:worker_threads';
if (!isMainThread) {
  ${statement}
}
const env = StreamExecutionEnvironment.getExecutionEnvironment();
env.fromElements(1).print();
await env.execute('side effects');
`;
}

describe('side effects while the graph is built in a slot', () => {
  it.each([
    ["fs.writeFileSync('made', '')", 'fs.writeFileSync'],
    ["await writeFile('made', '')", 'fs.promises.writeFile'],
    ["fs.mkdirSync('made')", 'fs.mkdirSync'],
    ["fs.openSync('made', 'w')", 'fs.openSync'],
    ["fs.createWriteStream('made')", 'fs.createWriteStream'],
    ["execFileSync('touch', ['made'])", 'child_process.execFileSync'],
    ["connect(1, '127.0.0.1')", 'open a connection'],
    ["await fetch('http://127.0.0.1:1/')", 'fetch'],
  ])('are refused: %s', async (statement, named) => {
    const { code, stdout, stderr } = await run(program(statement), [], '1');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const [head, frame] = stderr.split('\n');
    expect(head).toMatch(
      /^error PROGRAM_SIDE_EFFECT: Cannot .*every slot evaluates the program up to its execute.*Do it in open\(\) of a function/,
    );
    expect(head).toContain(named);
    expect(frame).toContain('program.ts:8:');
    expect(existsSync(join(directory, 'made'))).toBe(false);
  });

  it.each(["fs.readFileSync('program.ts')", "fs.closeSync(fs.openSync('program.ts'))", "console.log('said once already')"])(
    'are not: %s',
    async (statement) => {
      const { code, stdout, stderr } = await run(program(statement), [], '1');
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '1\n', stderr: '' });
    },
  );

  it('are the user functions own affair once the job runs', async () => {
    const { code, stderr } = await run(
      `import { defineJob } from 'millstream';
       import { writeFileSync } from 'node:fs';
       export default defineJob((env) => void env.fromElements('made').map((name) => { writeFileSync(name, ''); return name; }).print());`,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(existsSync(join(directory, 'made'))).toBe(true);
  });
});
