import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { moduleHash, ProgramModules } from './program-modules.js';

const directory = mkdtempSync(join(tmpdir(), 'millstream-modules-'));
const content = new TextEncoder().encode('export default 1;');
const module = { hash: moduleHash(content), content };
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

it('writes no file anew that a thread may be reading, but one that is gone', async () => {
  const modules = new ProgramModules(directory);
  modules.add(module);
  const url = modules.urlOf(module.hash) as string;
  expect((await modules.load(url, [])).default).toBe(1);
  const path = fileURLToPath(url);
  utimesSync(path, 1, 1);
  modules.add(module);
  expect(statSync(path).mtimeMs).toBe(1000);
  rmSync(path);
  modules.add(module);
  expect(readdirSync(directory)).toContain(`${module.hash}.mjs`);
  expect(() => modules.add({ ...module, content: new Uint8Array(1) })).toThrow(/hash of what arrived/);
});
