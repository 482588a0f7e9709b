import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfigurationSources, loadConfiguration } from './load-configuration.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-configuration-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function load(sources: Partial<ConfigurationSources>): ReturnType<typeof loadConfiguration> {
  return await loadConfiguration({ environment: {}, ...sources });
}

describe('layers', () => {
  it('rise from file over environment and -D to flags', async () => {
    const file = write(
      'layers.yaml',
      'pipeline:\n  name: file\n  max-parallelism: 4\nparallelism.default: 4\nexecution.checkpointing.timeout: 4 s\n',
    );
    const { configuration } = await load({
      file,
      environment: {
        MILLSTREAM_PIPELINE__NAME: 'environment',
        MILLSTREAM_PARALLELISM__DEFAULT: '3',
        MILLSTREAM_PIPELINE__MAX_PARALLELISM: '3',
      },
      definitions: { 'pipeline.name': 'define', 'parallelism.default': '2' },
      flags: [{ flag: '--name', key: 'pipeline.name', value: 'flag' }],
    });
    expect(configuration.options).toMatchObject({
      'pipeline.name': 'flag',
      'parallelism.default': 2,
      'pipeline.max-parallelism': 3,
      'execution.checkpointing.timeout': 4000,
      'execution.checkpointing.min-pause': 0,
    });
    expect(Object.fromEntries(configuration.origins)).toEqual({
      'pipeline.name': { layer: 'flag', flag: '--name' },
      'parallelism.default': { layer: 'define' },
      'pipeline.max-parallelism': { layer: 'environment', variable: 'MILLSTREAM_PIPELINE__MAX_PARALLELISM' },
      'execution.checkpointing.timeout': { layer: 'file', file, line: 5, column: 1 },
    });
  });

  it('name everything that is wrong at once', async () => {
    const file = write('wrong.yaml', 'parallelism.default: many\nparallelism:\n  default: [1]\npipline.name: x\n');
    const loading = load({ file, environment: { MILLSTREAM_PIPELINE__NAM: 'x' }, definitions: { 'pipeline.name': '' } });
    await expect(loading).rejects.toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: [
          'The configuration has 5 errors:',
          `${file}:1:1: Cannot set option "parallelism.default" to "many": it must be a whole number from 1 to 32768.`,
          `${file}:3:3: Cannot set option "parallelism.default" to a list: write the value itself. Text that begins with *, & or ! needs quotes.`,
          `${file}:4:1: Cannot set option "pipline.name": there is no such option. Did you mean "pipeline.name"?`,
          'environment variable MILLSTREAM_PIPELINE__NAM: Cannot set option "pipeline.nam": there is no such option. Did you mean "MILLSTREAM_PIPELINE__NAME"?',
          '-D pipeline.name: Cannot set option "pipeline.name" to "": it must be text that is not empty.',
        ].join('\n  '),
      }),
    );
  });

  it('find one option under two spellings', async () => {
    const file = write('twice.yaml', 'parallelism.default: 1\nparallelism:\n  default: 2\n');
    await expect(load({ file })).rejects.toThrow(
      `${file}:3:3: Cannot set option "parallelism.default" twice: it is also set at ${file}:1:1. Remove one.`,
    );
  });
});

describe('the file', () => {
  it('is none, config.yaml in the directory of the environment, or the one that is named', async () => {
    mkdirSync(join(directory, 'conf'));
    const inDirectory = write('conf/config.yaml', 'pipeline.name: directory\n');
    const named = write('named.yaml', 'pipeline.name: named\n');
    const environment = { MILLSTREAM_CONF_DIR: join(directory, 'conf') };
    expect((await load({})).file).toBeUndefined();
    expect((await load({ environment: { MILLSTREAM_CONF_DIR: '' } })).file).toBeUndefined();
    expect(await load({ environment })).toMatchObject({ file: inDirectory, configuration: { options: { 'pipeline.name': 'directory' } } });
    expect(await load({ environment, file: named })).toMatchObject({
      file: named,
      configuration: { options: { 'pipeline.name': 'named' } },
    });
  });

  it('must be there, small, and text', async () => {
    const missing = join(directory, 'missing');
    const cases: readonly (readonly [Partial<ConfigurationSources>, string])[] = [
      [{ file: missing }, `${missing}: there is no such file. Give the path of a YAML file.`],
      [{ environment: { MILLSTREAM_CONF_DIR: missing } }, `config.yaml: there is no such file. MILLSTREAM_CONF_DIR names its directory.`],
      [{ file: directory }, `${directory}: it is a directory.`],
      [{ file: write('large.yaml', `a: ${'x'.repeat(300_000)}`) }, 'it has 300003 bytes, and at most 262144 are read.'],
      [{ file: write('binary.yaml', new Uint8Array([0x61, 0x3a, 0xff, 0xfe])) }, 'it is not UTF-8 text.'],
    ];
    for (const [sources, message] of cases) {
      await expect(load(sources)).rejects.toThrow(
        expect.objectContaining({ code: 'CONFIGURATION_UNREADABLE', message: expect.stringContaining(message) }),
      );
    }
  });
});
