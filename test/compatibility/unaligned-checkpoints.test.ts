/**
 * Unaligned checkpoints that earlier versions wrote are restored: golden-unaligned/<name>.gz, each a job directory of
 * test/jobs/golden-unaligned.ts with what was on its way (format 2 of the metadata). New ones are written as in checkpoints.test.ts; old ones stay.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RunOptions } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLines, runJob } from '../e2e/run-job.js';
import { timerOf, UNALIGNED_KEYS, type UnalignedLine, unalignedEventOf } from '../jobs/golden-unaligned.js';
import { kindsOnTheirWay } from './channel-frames.js';
import { packDirectory, unpackDirectory } from './checkpoint-archive.js';
import { checkpointOfFullJob, UNALIGNED_RECORDS } from './full-job.js';

const GOLDEN = join(import.meta.dirname, 'golden-unaligned');
const NEW = process.env.MILLSTREAM_GOLDEN;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-golden-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What the job must write, computed without the engine. */
function expected(): UnalignedLine[] {
  const lines: UnalignedLine[] = [];
  const timers = new Set<string>();
  for (let index = 0; index < UNALIGNED_RECORDS; index++) {
    const event = unalignedEventOf(index);
    lines.push({ branch: 'event', event }, { branch: 'count', key: event.key, count: Math.floor(index / UNALIGNED_KEYS) + 1 });
    const timer: UnalignedLine = { branch: 'timer', key: event.key, time: timerOf(event.time) };
    if (timers.size < timers.add(JSON.stringify(timer)).size) lines.push(timer);
  }
  return lines;
}

function sorted(lines: readonly UnalignedLine[]): string[] {
  return lines.map((line) => JSON.stringify(line)).sort();
}

async function restore(checkpoint: string, parallelism: number, run: RunOptions): Promise<UnalignedLine[]> {
  const results = join(directory, 'results');
  const outcome = await runJob('golden-unaligned', {
    parameters: { records: `${UNALIGNED_RECORDS}`, results },
    options: { 'parallelism.default': parallelism },
    run: { ...run, from: checkpoint },
  });
  expect(outcome.type).toBe('finished');
  const lines = readLines<UnalignedLine>(results);
  rmSync(results, { recursive: true });
  return lines;
}

async function expectRestored(checkpoint: string): Promise<void> {
  // Channels of another size, and the interpreted decoders.
  for (const run of [{}, { codegen: false, ring: { slots: 2, slotBytes: 256 } }]) {
    expect(sorted(await restore(checkpoint, 2, run))).toEqual(sorted(expected()));
  }
}

/** Whole batches, pieces of batches and watermarks, sent and not sent, in files and in the metadata. */
const EVERYTHING = {
  formatVersion: 2,
  frames: expect.arrayContaining(['input control', 'input last', 'input more', 'output last']),
  places: ['file', 'inline'],
};

describe('golden unaligned checkpoints', () => {
  // Only on demand: it writes into the checkout.
  it.runIf(NEW !== undefined)('are written', async () => {
    const checkpoint = await checkpointOfFullJob(directory);
    expect(kindsOnTheirWay(checkpoint)).toEqual(EVERYTHING);
    mkdirSync(GOLDEN, { recursive: true });
    packDirectory(dirname(checkpoint), join(GOLDEN, `${NEW}.gz`));
  });

  it('are there', () => {
    expect(readdirSync(GOLDEN)).toContain('version-0-1.gz');
  });

  it.each(readdirSync(GOLDEN))('%s is restored at its parallelism, and refused at another', async (name) => {
    unpackDirectory(join(GOLDEN, name), directory);
    const checkpoint = join(directory, readdirSync(directory).find((entry) => entry.startsWith('chk-')) as string);
    expect(kindsOnTheirWay(checkpoint)).toEqual(EVERYTHING);
    await expectRestored(checkpoint);
    await expect(restore(checkpoint, 3, {})).rejects.toMatchObject({ code: 'CHECKPOINT_UNALIGNED' });
  });

  it('of today are restored as those are', async () => {
    const checkpoint = await checkpointOfFullJob(directory);
    expect(kindsOnTheirWay(checkpoint).formatVersion).toBe(2);
    await expectRestored(checkpoint);
  });
});
