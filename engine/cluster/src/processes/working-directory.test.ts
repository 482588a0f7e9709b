import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ResolvedOptions, resolveConfiguration } from 'millstream/cluster';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workingDirectory } from './working-directory.js';

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'millstream-working-'));
});
afterAll(() => {
  rmSync(parent, { recursive: true });
});

function options(set: Readonly<Record<string, string>>): ResolvedOptions {
  const origin = { layer: 'file', file: 'config.yaml', line: 1, column: 1 } as const;
  return resolveConfiguration(Object.entries(set).map(([key, input]) => ({ key, input, origin }))).options;
}

it("is the process's own, else that of all processes, else the temporary one", async () => {
  const set = { 'process.working-dir': join(parent, 'all'), 'process.jobmanager.working-dir': join(parent, 'leaders') };
  expect(await workingDirectory(options(set), 'jobmanager', '/tmp/x')).toBe(join(parent, 'leaders'));
  expect(await workingDirectory(options(set), 'taskmanager', '/tmp/x')).toBe(join(parent, 'all'));
  expect([join(parent, 'leaders'), join(parent, 'all')].map((path) => existsSync(path))).toEqual([true, true]);
  expect(await workingDirectory(options({}), 'taskmanager', '/tmp/x')).toBe('/tmp/x');
});

it('names the option whose directory cannot be used', async () => {
  const failing = async (key: string): Promise<string> =>
    await workingDirectory(options({ [key]: '/dev/null/work' }), 'taskmanager', '/tmp/x');
  for (const key of ['process.working-dir', 'process.taskmanager.working-dir']) {
    await expect(failing(key)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(new RegExp(`'/dev/null/work'.*Set ${key.replaceAll('.', '\\.')} to`)),
    });
  }
});
