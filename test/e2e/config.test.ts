/** `millstream config` as users meet it. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, millstream, startNode } from './command.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-config-'));
  mkdirSync(join(directory, 'conf'));
  writeFileSync(
    join(directory, 'conf', 'config.yaml'),
    'parallelism.default: 4\nexecution:\n  checkpointing:\n    interval: 90 s\n    timeout: 3 min\npipeline:\n  name: "no: 1"\n',
  );
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function config(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return await millstream(['config', ...words], { cwd: directory, env });
}

interface Printed {
  readonly file: string | null;
  readonly options: readonly { readonly key: string; readonly value?: unknown; readonly origin: unknown; readonly doc: string }[];
}

async function options(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Map<string, Printed['options'][number]>> {
  const { code, stdout, stderr } = await config([...words, '--json'], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return new Map((JSON.parse(stdout) as Printed).options.map((option) => [option.key, option]));
}

describe('millstream config', () => {
  it('prints defaults and what they mean where nothing is set', async () => {
    const { code, stdout, stderr } = await config([]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^# Configuration file: none /);
    expect(stdout).toContain('\n# Subtasks of each operator that does not set its own number. (default)\nparallelism.default: 1\n');
    expect(stdout).not.toContain('execution.checkpointing.interval');
    expect((await config(['--all'])).stdout).toContain('\n# execution.checkpointing.interval:\n');
  });

  it('prints the value of the highest layer, and where it comes from', async () => {
    const set = await options(['-D', 'execution.checkpointing.interval=5 s'], {
      MILLSTREAM_CONF_DIR: 'conf',
      MILLSTREAM_PARALLELISM__DEFAULT: '8',
      MILLSTREAM_EXECUTION__CHECKPOINTING__INTERVAL: '1 s',
    });
    expect(set.get('execution.checkpointing.interval')).toMatchObject({ value: 5000, origin: { layer: 'define' } });
    expect(set.get('parallelism.default')).toMatchObject({ value: 8, origin: { variable: 'MILLSTREAM_PARALLELISM__DEFAULT' } });
    expect(set.get('execution.checkpointing.timeout')).toMatchObject({ value: 180_000, origin: { file: 'conf/config.yaml', line: 5 } });
    expect(set.get('execution.checkpointing.min-pause')).toMatchObject({ value: 0, origin: { layer: 'default' } });
    expect(set.has('pipeline.max-parallelism')).toBe(false);
    expect((await options(['--all'])).get('pipeline.max-parallelism')).toMatchObject({ value: null, default: null });
  });

  it('prints a configuration file, which gives the same values again', async () => {
    const first = await config(['--config', 'conf/config.yaml']);
    expect(first.stdout).toContain('(from conf/config.yaml:4:5; default: not set)\nexecution.checkpointing.interval: 90 s\n');
    writeFileSync(join(directory, 'printed.yaml'), first.stdout);
    const values = async (file: string): Promise<unknown[]> => [...(await options(['--config', file])).values()].map(({ value }) => value);
    expect(await values('printed.yaml')).toEqual(await values('conf/config.yaml'));
  });
});

describe('wrong configuration', () => {
  it('is said of all layers at once, with the places', async () => {
    writeFileSync(join(directory, 'wrong.yaml'), 'parallelism:\n  default: many\n  defualt: 2\n');
    const { code, stdout, stderr } = await config(['--config', 'wrong.yaml', '-D', 'pipeline.name='], { MILLSTREAM_PIPELINE__NAMES: 'x' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([
      'error INVALID_OPTION: The configuration has 4 errors:',
      '  wrong.yaml:2:3: Cannot set option "parallelism.default" to "many": it must be a whole number from 1 to 32768.',
      '  wrong.yaml:3:3: Cannot set option "parallelism.defualt": there is no such option. Did you mean "parallelism.default"?',
      '  environment variable MILLSTREAM_PIPELINE__NAMES: Cannot set option "pipeline.names": there is no such option. Did you mean "MILLSTREAM_PIPELINE__NAME"?',
      '  -D pipeline.name: Cannot set option "pipeline.name" to "": it must be text that is not empty.',
    ]);
  });

  it.each([
    [
      ['--config', 'missing.yaml'],
      {},
      'error CONFIGURATION_UNREADABLE: Cannot read the configuration file missing.yaml: there is no such file.',
    ],
    [[], { MILLSTREAM_CONF_DIR: 'missing' }, 'Cannot read the configuration file missing/config.yaml: there is no such file.'],
    [['--config', 'conf'], {}, 'Cannot read the configuration file conf: it is a directory.'],
    [['-D', 'x'], {}, 'It must be key=value.'],
    [['extra'], {}, 'too many arguments'],
  ])('%j with %j returns 2', async (words, env, message) => {
    const { code, stdout, stderr } = await config(words, env);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

describe('without @millstream/cluster', () => {
  it('names the command that installs it', async () => {
    const packages = join(directory, 'node_modules');
    const command = join(packages, '@millstream', 'cli');
    mkdirSync(command, { recursive: true });
    for (const part of ['bin', 'dist', 'package.json']) cpSync(join(ROOT, 'engine/cli', part), join(command, part), { recursive: true });
    for (const name of ['millstream', 'commander', 'esbuild', 'picocolors'])
      symlinkSync(join(ROOT, 'node_modules', name), join(packages, name));
    const { code, stdout, stderr } = await startNode([join(command, 'bin', 'millstream.js'), 'config'], { cwd: directory }).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error PACKAGE_NOT_INSTALLED: Cannot read the configuration: the package @millstream\/cluster is not installed\. npm install @millstream\/cluster@\d+\.\d+\.\d+\n/,
    );
  });
});
