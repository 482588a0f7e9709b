import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addCheckpoint,
  type CompletedCheckpoint,
  checkpointBefore,
  createJobRecord,
  isDeadEpoch,
  type JobRecord,
  latestCheckpoint,
  noteCommitted,
  reserveEpochs,
  startAttempt,
} from './job-record.js';

const fresh = (): JobRecord => createJobRecord({ job: 'flights', run: 'r1', term: 1, structuralHash: 'abc', restoredFrom: undefined });
const checkpoint = (epoch: number, kind: CompletedCheckpoint['kind'] = 'checkpoint'): CompletedCheckpoint => ({
  epoch,
  path: `chk-${epoch}`,
  kind,
  timestamp: epoch * 1000,
  committed: false,
});

describe('job record', () => {
  it('starts each attempt in a fresh block; what the last attempt wrote after the restored checkpoint is dead', () => {
    const first = startAttempt(fresh(), 1, 100);
    expect(first.block).toEqual({ first: 1, last: 100 });
    expect(first.record).toMatchObject({ attempt: 1, nextEpoch: 101, lineage: [] });
    const withCheckpoint = addCheckpoint(first.record, checkpoint(3), 1).record;
    const second = startAttempt(withCheckpoint, 2, 100);
    expect(second.block).toEqual({ first: 101, last: 200 });
    expect(second.record).toMatchObject({ attempt: 2, term: 2, lineage: [{ first: 4, last: 100 }] });
    const third = startAttempt(second.record, 2, 100);
    // However often it fails without a checkpoint in between.
    expect(third.record.lineage).toEqual([{ first: 4, last: 200 }]);
    const fourth = startAttempt(addCheckpoint(third.record, checkpoint(210), 1).record, 2, 100);
    expect(fourth.record.lineage).toEqual([
      { first: 4, last: 200 },
      { first: 211, last: 300 },
    ]);
  });

  it('keeps the newest checkpoints and all savepoints', () => {
    let record = startAttempt(fresh(), 1).record;
    const dropped: number[] = [];
    for (const next of [checkpoint(1), checkpoint(2), checkpoint(3, 'savepoint'), checkpoint(4), checkpoint(5)]) {
      const added = addCheckpoint(record, next, 2);
      record = added.record;
      dropped.push(...added.dropped.map((each) => each.epoch));
    }
    expect(dropped).toEqual([1, 2]);
    expect(record.checkpoints.map((each) => each.epoch)).toEqual([3, 4, 5]);
    expect(latestCheckpoint(record)?.epoch).toBe(5);
    expect(checkpointBefore(record, 4)?.epoch).toBe(3);
    expect(checkpointBefore(record, 3)).toBeUndefined();
    expect(noteCommitted(record, 4).checkpoints.map((each) => each.committed)).toEqual([false, true, false]);
  });

  it('refuses a checkpoint that is not newer, or of a number that was never reserved', () => {
    const record = addCheckpoint(startAttempt(fresh(), 1, 10).record, checkpoint(5), 1).record;
    expect(() => addCheckpoint(record, checkpoint(5), 1)).toThrow('does not follow 5');
    expect(() => addCheckpoint(record, checkpoint(11), 1)).toThrow('Checkpoint 11');
    expect(() => reserveEpochs(record, 1)).toThrow('none to trigger');
  });

  it('never hands out a number twice, and exactly the epochs of completed lives are alive', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('attempt' as const) }),
      fc.record({ type: fc.constant('checkpoint' as const), skip: fc.integer({ min: 0, max: 3 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let { record, block } = startAttempt(fresh(), 1, 20);
        let next = block.first;
        let alive: number[] = [];
        let written: number[] = [];
        const used = new Set<number>();
        for (const each of steps) {
          if (each.type === 'attempt') {
            const restored = latestCheckpoint(record)?.epoch ?? 0;
            alive = alive.filter((epoch) => epoch <= restored);
            ({ record, block } = startAttempt(record, 1, 20));
            next = block.first;
            for (const epoch of written) expect(isDeadEpoch(record, epoch)).toBe(!alive.includes(epoch));
          } else if (next + each.skip < block.last) {
            // The skipped ones were declined: their rows stay valid for later epochs of this attempt.
            for (let epoch = next; epoch <= next + each.skip; epoch++) {
              expect(used.has(epoch)).toBe(false);
              used.add(epoch);
              written.push(epoch);
              alive.push(epoch);
            }
            next += each.skip;
            record = addCheckpoint(record, checkpoint(next), 2).record;
            next++;
            // Writing ahead under the epoch in progress.
            written = [...written, next];
          }
        }
      }),
      { seed: 6, numRuns: 200 },
    );
  });
});
