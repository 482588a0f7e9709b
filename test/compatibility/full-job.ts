/**
 * Makes an unaligned checkpoint of test/jobs/golden-unaligned.ts. How fast the machine is does not matter: the checkpoint is taken when all
 * channels are full and nothing moves any more.
 */
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { pause } from '../e2e/cluster-harness.js';
import { runJob } from '../e2e/run-job.js';

export const UNALIGNED_RECORDS = 16_000;
/** Reports of all slots, one after another, that say the same. */
const QUIET_REPORTS = 4;

/** Fills the job under `directory` and takes a checkpoint; returns its path. */
export async function checkpointOfFullJob(directory: string): Promise<string> {
  let run: JobRun | undefined;
  const seen = new Map<number, string>();
  let quiet = 0;
  const outcome = runJob('golden-unaligned', {
    parameters: { records: `${UNALIGNED_RECORDS}`, results: join(directory, 'no results'), waits: 'true' },
    options: {
      'parallelism.default': 2,
      'pipeline.max-parallelism': 16,
      'pipeline.auto-watermark-interval': '1 ms',
      'execution.checkpointing.dir': join(directory, 'checkpoints'),
      'execution.checkpointing.unaligned.enabled': true,
    },
    // Small slots: batches go in pieces.
    run: { ring: { slots: 4, slotBytes: 1024 } },
    onRun: (started) => {
      run = started;
    },
    observer: {
      metrics: (slot, tasks) => {
        const records = JSON.stringify(tasks.map(({ recordsIn }) => recordsIn));
        quiet = seen.get(slot) === records ? quiet + 1 : 0;
        seen.set(slot, records);
      },
    },
  });
  const ended = outcome.then(({ type }) => Promise.reject(new Error(`the job ended as ${type}`)));
  ended.catch(() => undefined);
  while (quiet < QUIET_REPORTS) await Promise.race([pause(), ended]);
  await run?.checkpoint();
  const checkpoint = run?.lastCheckpoint as string;
  run?.cancel();
  await outcome;
  return checkpoint;
}
