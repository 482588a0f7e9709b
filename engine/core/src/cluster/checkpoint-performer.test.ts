import { beforeEach, describe, expect, it } from 'vitest';
import type { CheckpointRequest } from '../checkpoint/coordinator-state.js';
import type { CheckpointKind } from '../checkpoint/metadata.js';
import { EMPTY_OPERATOR_SNAPSHOT, type KeyedStateFile, type SubtaskSnapshot } from '../checkpoint/snapshot.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { CheckpointAcknowledgementReport, CompletedCheckpointReport } from './attempt-options.js';
import { type CheckpointEnd, CheckpointPerformer } from './checkpoint-performer.js';
import { type CheckpointStore, NoCheckpointStore } from './checkpoint-store.js';

const GRAPH = { jobName: 'job', structuralHash: 'hash', vertices: [], edges: [] } as JobGraph;
const SUBTASK = { vertexId: 'v', subtaskIndex: 0 };

/** One subtask in each of two slots, as its checkpoints see it. */
class Rig {
  readonly clock: VirtualClock = new VirtualClock(1_000_000);
  readonly sent: string[] = [];
  readonly ends: CheckpointEnd[] = [];
  readonly acknowledgements: CheckpointAcknowledgementReport[] = [];
  readonly discarded: string[] = [];
  readonly store: CheckpointStore = Object.assign(new NoCheckpointStore(), {
    discardEpoch: async (epoch: number, snapshots: readonly SubtaskSnapshot[], savepoint: string | undefined) => {
      this.discarded.push(`${epoch} of ${snapshots.length} in ${savepoint}`);
    },
  });
  isSettled = false;
  onCompleted: (report: CompletedCheckpointReport) => void = () => undefined;
  readonly checkpoints: CheckpointPerformer;

  constructor() {
    const rig = this;
    this.checkpoints = new CheckpointPerformer(
      {
        slotCount: 2,
        get isSettled() {
          return rig.isSettled;
        },
        broadcast: (message) => this.sent.push(described(message)),
        enumeratorStates: () => new Map(),
        completed: (report) => this.onCompleted(report),
        failedCheckpoint: () => undefined,
        triggered: () => undefined,
        acknowledged: (report) => this.acknowledgements.push(report),
        discarded: () => undefined,
        answered: () => undefined,
        refused: () => undefined,
        ended: (end) => {
          this.isSettled = true;
          this.ends.push(end);
        },
        fail: (error) => {
          throw error;
        },
      },
      {
        owner: { run: 'run', attempt: 1, graph: GRAPH, jobDirectory: '', defaultParallelism: 1 },
        store: this.store,
        config: { intervalMs: undefined, minPauseMs: 0, timeoutMs: 1000, tolerableFailures: 0 },
        epochs: { first: 1, last: 1000 },
        clock: this.clock,
      },
    );
    this.checkpoints.running([SUBTASK]);
  }

  request(kind: CheckpointKind, stop?: CheckpointRequest['stop'], directory?: string): void {
    this.checkpoints.request({ id: 'test', kind, stop, directory });
  }

  async acknowledge(epoch: number): Promise<void> {
    this.checkpoints.acknowledged({ epoch, ...SUBTASK, operators: {}, writtenBytes: 0 });
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  }
}

function described(message: ToSlot): string {
  switch (message.type) {
    case 'trigger':
      return `trigger ${message.kind} ${message.epoch} after ${message.completed}`;
    case 'complete':
      return `complete ${message.kind} ${message.epoch}`;
    case 'abort':
      return `abort ${message.epoch}`;
    default:
      return message.type;
  }
}

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});

describe('the performer of checkpoints', () => {
  it('tells slots the kind of a snapshot; deltas are never after a savepoint', async () => {
    for (const [at, kind] of (['checkpoint', 'savepoint', 'checkpoint'] as const).entries()) {
      rig.request(kind);
      await rig.acknowledge(at + 1);
    }
    expect(rig.sent).toEqual([
      'trigger checkpoint 1 after 0',
      'complete checkpoint 1',
      'trigger savepoint 2 after 1',
      'complete savepoint 2',
      'trigger checkpoint 3 after 1',
      'complete checkpoint 3',
    ]);
  });

  it('tells of a completion before what somebody asks for at the news of it', async () => {
    rig.onCompleted = ({ epoch }) => {
      if (epoch === 1) rig.request('checkpoint');
    };
    rig.request('checkpoint');
    await rig.acknowledge(1);
    expect(rig.sent).toEqual(['trigger checkpoint 1 after 0', 'complete checkpoint 1', 'trigger checkpoint 2 after 1']);
  });

  it('asks again for a checkpoint that hands results over, until it is there', async () => {
    rig.checkpoints.handOver();
    rig.checkpoints.declined(1, 'the disk is full');
    expect(rig.sent).toEqual(['trigger checkpoint 1 after 0', 'abort 1']);
    rig.clock.advanceBy(1000);
    await rig.acknowledge(2);
    rig.clock.advanceBy(10_000);
    expect(rig.sent.slice(2)).toEqual(['trigger checkpoint 2 after 0', 'complete checkpoint 2']);
  });

  it('asks no more once the attempt has ended', () => {
    rig.checkpoints.handOver();
    rig.checkpoints.declined(1, 'the disk is full');
    rig.isSettled = true;
    rig.checkpoints.end();
    rig.clock.advanceBy(10_000);
    expect(rig.sent).toEqual(['trigger checkpoint 1 after 0', 'abort 1']);
  });

  it('removes a savepoint that was given up from where it went, also what comes too late', async () => {
    rig.request('savepoint', undefined, '/savepoints/s1');
    rig.checkpoints.declined(1, 'the disk is full');
    await rig.acknowledge(1);
    rig.request('checkpoint');
    rig.checkpoints.declined(2, 'the disk is full');
    await rig.settle();
    expect(rig.discarded).toEqual(['1 of 0 in /savepoints/s1', '1 of 1 in /savepoints/s1', '2 of 0 in undefined']);
  });

  it('tells how much each subtask wrote, and how much it would restore', async () => {
    rig.request('checkpoint');
    const file = { path: 'x', crc32: 0 };
    const info = { kind: 'base', rows: 1 } as KeyedStateFile['info'];
    const keyedChain = [100, 20].map((length) => ({ ...file, length, info }));
    const operators = {
      keyed: { ...EMPTY_OPERATOR_SNAPSHOT, keyedChain },
      inline: { ...EMPTY_OPERATOR_SNAPSHOT, operatorState: { inline: new Uint8Array(3) } },
      stored: { ...EMPTY_OPERATOR_SNAPSHOT, operatorState: { file: { ...file, length: 4000 } } },
    };
    rig.checkpoints.acknowledged({ epoch: 1, ...SUBTASK, operators, writtenBytes: 4023 });
    expect(rig.acknowledgements).toEqual([{ epoch: 1, vertexId: 'v', subtask: 0, writtenBytes: 4023, stateBytes: 4123 }]);
    await rig.settle();
  });

  it('reports the end after the last slot has committed', async () => {
    rig.request('checkpoint', 'suspend');
    await rig.acknowledge(1);
    rig.checkpoints.slotCommitted(1);
    await rig.settle();
    expect(rig.ends).toEqual([]);
    rig.checkpoints.slotCommitted(1);
    await rig.settle();
    expect(rig.ends).toEqual([{ type: 'stopped' }]);
  });
});
