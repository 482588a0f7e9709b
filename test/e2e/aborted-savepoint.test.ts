/** A savepoint that cannot be completed leaves nothing behind, and the job goes on. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createMoment, evaluateModule, JobRun, nodeDisk, SILENT_OBSERVER, systemClock } from 'millstream/cluster';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeyedSum } from '../jobs/keyed-sums.js';
import { readLines } from './run-job.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-savepoint-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

it.each([undefined, 'suspend'] as const)('of a full disk (stop: %s)', async (stop) => {
  const home = join(directory, `${stop}`);
  const parameters = { records: '10000', results: join(home, 'results'), until: join(home, 'until') };
  const url = pathToFileURL(fileURLToPath(new URL('../dist/jobs/keyed-sums.js', import.meta.url))).href;
  const options = { 'parallelism.default': 2, 'execution.checkpointing.dir': join(home, 'checkpoints') };
  const moment = createMoment();
  const program = await evaluateModule({ mode: 'client', parameters, options, moment }, async () => await import(/* @vite-ignore */ url));
  let running: (() => void) | undefined;
  const runs = new Promise<void>((resolve) => {
    running = resolve;
  });
  let seen: string[] = [];
  const run = new JobRun({
    program,
    artifact: { url, contentChecksum: undefined, parameters, options, argv: ['keyed-sums'], moment, plan: program.plan },
    options: {},
    clock: systemClock,
    disk: {
      ...nodeDisk,
      create: async (path: string, settings?: { readonly overwrite?: boolean }) => {
        if (path.startsWith(join(home, 'savepoints'))) {
          seen = readdirSync(join(home, 'savepoints'), { recursive: true }).map(String);
          throw Object.assign(new Error(`ENOSPC: no space left on device, open '${path}'`), { code: 'ENOSPC' });
        }
        return await nodeDisk.create(path, settings);
      },
    },
    observer: { ...SILENT_OBSERVER, running: () => running?.() },
  });
  const ended = run.execute();
  await runs;
  await expect(run.savepoint(join(home, 'savepoints'), stop)).rejects.toMatchObject({ code: 'CHECKPOINT_FAILED' });
  // Its state was there when its metadata could not be written.
  expect(seen.filter((name) => name.endsWith('.keyed')).length).toBeGreaterThan(0);
  await expect.poll(() => readdirSync(join(home, 'savepoints'))).toEqual([]);
  expect(existsSync(parameters.until)).toBe(false);
  writeFileSync(parameters.until, '');
  expect(await ended).toEqual({ type: 'finished' });
  expect(readLines<KeyedSum>(parameters.results)).toHaveLength(10_000);
});
