/** That the watch of a simulation finds what it is there for. */
import { beforeEach, expect, it } from 'vitest';
import { createJobRecord, type JobRecord } from '../../checkpoint/job-record.js';
import { sealJson } from '../../checkpoint/sealed-json.js';
import { type DiskOperation, MemoryDisk } from '../../common/memory-disk.js';
import { RecordWatch } from './record-watch.js';

const FRESH = createJobRecord({ job: 'j', run: 'r', term: 1, structuralHash: 'h', restoredFrom: undefined });

const NOW = { term: 3, attempt: 3 };

let disk: MemoryDisk;
let watch: RecordWatch;
let versions: number;
beforeEach(async () => {
  disk = new MemoryDisk();
  watch = new RecordWatch(disk, '/results');
  versions = 0;
  await disk.makeDirectory('/job');
});

async function done(operation: DiskOperation, path: string): Promise<void> {
  await watch.diskDone(operation, path);
}

async function write(content: Uint8Array): Promise<void> {
  const path = `/job/job.${++versions}`;
  const file = await disk.create(path);
  await file.write(content);
  await file.close();
  await done('link', path);
}

/** A new version of the record, which lists checkpoints of these epochs. */
async function list(epochs: readonly number[], changes: Partial<JobRecord> = {}): Promise<void> {
  const checkpoints = epochs.map((epoch) => ({
    epoch,
    path: `chk-${epoch}`,
    kind: 'checkpoint' as const,
    timestamp: 0,
    committed: false,
  }));
  await write(sealJson({ record: { ...FRESH, attempt: 1, ...changes, checkpoints } }));
}

function complete(epoch: number): void {
  watch.slotTold('host', { type: 'complete', epoch, kind: 'checkpoint' });
}

it('finds nothing where all is in order', async () => {
  await list([]);
  await list([1]);
  await done('syncDirectory', '/job');
  complete(1);
  await list([2], { term: 2, attempt: 2 });
  await done('syncDirectory', '/job');
  complete(2);
  await list([], { term: 2, attempt: 2, ended: 'finished' });
  await done('create', '/results/part-0.jsonl.pending');
  await done('link', '/results/part-0.jsonl');
  expect(watch.violations).toEqual([]);
  expect([watch.completedCheckpoints, watch.attempts]).toEqual([2, 2]);
});

it.each<[string, () => Promise<void>, RegExp]>([
  ['a checkpoint that is gone', async () => await list([], NOW), /its newest checkpoint is 0, after 5 was complete/],
  ['an older checkpoint', async () => await list([4], NOW), /its newest checkpoint is 4, after 5/],
  ['an earlier term', async () => await list([5], { term: 2, attempt: 3 }), /term 2 follows term 3/],
  ['an earlier attempt', async () => await list([5], { term: 3, attempt: 2 }), /attempt 2 follows attempt 3/],
  ['a record that is cut', async () => await write(new Uint8Array(5)), /is not whole/],
  ['a commit of what nothing lists', async () => complete(6), /epoch 6: no job record lists it/],
  [
    'a commit of what a power loss takes back',
    async () => {
      await list([6], NOW);
      await done('syncDirectory', '/results');
      complete(6);
    },
    /epoch 6: a power loss could take back/,
  ],
  ['a result that changes', async () => await done('truncate', '/results/part-0.jsonl'), /was changed by 'truncate'/],
])('finds %s', async (_what, act, violation) => {
  await list([5], NOW);
  await done('syncDirectory', '/job');
  await act();
  expect(watch.violations).toEqual([expect.stringMatching(violation)]);
});

it('forgives a power loss what it takes back, and nothing else', async () => {
  await list([5]);
  await done('syncDirectory', '/job');
  await list([6]);
  // Another directory says nothing of this one.
  await done('syncDirectory', '/results');
  watch.powerLost();
  await list([5]);
  expect(watch.violations).toEqual([]);
  await list([4]);
  expect(watch.violations).toHaveLength(1);
});
