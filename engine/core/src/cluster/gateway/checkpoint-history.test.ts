import { beforeEach, describe, expect, it } from 'vitest';
import { CheckpointHistory } from './checkpoint-history.js';

const VERTICES: ReadonlyMap<string, number> = new Map([
  ['source', 1],
  ['sum', 2],
]);

let history: CheckpointHistory;

function trigger(epoch: number, kind: 'checkpoint' | 'savepoint' = 'checkpoint'): void {
  history.triggered({ epoch, kind, at: epoch * 1000, vertices: VERTICES });
}

function acknowledge(epoch: number, vertexId: string, subtask: number, bytes = 10): void {
  history.acknowledged({ epoch, vertexId, subtask, at: epoch * 1000 + bytes, writtenBytes: bytes, stateBytes: bytes * 2 });
}

function complete(epoch: number, durationMs = 50): void {
  history.completed({ epoch, at: epoch * 1000 + durationMs, path: `/chk-${epoch}` });
}

describe('CheckpointHistory', () => {
  beforeEach(() => {
    history = new CheckpointHistory(3);
  });

  it('is empty at first', () => {
    const { counts, summary, latest, history: entries } = history.statistics();
    expect(counts).toEqual({ restored: 0, total: 0, in_progress: 0, completed: 0, failed: 0 });
    expect(summary.end_to_end_duration).toEqual({ min: 0, max: 0, avg: 0, p50: 0, p90: 0, p95: 0, p99: 0, p999: 0 });
    expect([latest, entries]).toEqual([{}, []]);
  });

  it('follows a checkpoint in progress, subtask by subtask, and counts each once', () => {
    trigger(1);
    acknowledge(1, 'sum', 1, 30);
    acknowledge(1, 'sum', 1, 30);
    expect(history.details(1)).toMatchObject({
      className: 'in_progress',
      status: 'IN_PROGRESS',
      num_subtasks: 3,
      num_acknowledged_subtasks: 1,
      checkpointed_size: 30,
      state_size: 60,
      end_to_end_duration: 30,
      tasks: {
        source: { num_acknowledged_subtasks: 0, latest_ack_timestamp: -1, end_to_end_duration: 0 },
        sum: { num_acknowledged_subtasks: 1 },
      },
    });
    expect(history.ofVertex(1, 'sum')?.subtasks).toEqual([
      { className: 'pending', index: 0, status: 'pending_or_failed' },
      {
        className: 'completed',
        index: 1,
        status: 'completed',
        ack_timestamp: 1030,
        end_to_end_duration: 30,
        checkpointed_size: 30,
        state_size: 60,
      },
    ]);
    expect(history.ofVertex(1, 'other')).toBeUndefined();
    expect(history.statistics().counts.in_progress).toBe(1);
  });

  it('ignores what is told of epochs that are not in progress', () => {
    trigger(1);
    complete(1);
    acknowledge(1, 'sum', 0);
    complete(1, 999);
    history.failed({ epoch: 1, at: 2, reason: 'late' });
    complete(2);
    acknowledge(7, 'sum', 0);
    trigger(3);
    acknowledge(3, 'sum', 2);
    acknowledge(3, 'other', 0);
    expect(history.details(1)).toMatchObject({ status: 'COMPLETED', num_acknowledged_subtasks: 0, end_to_end_duration: 50 });
    expect(history.details(3)).toMatchObject({ num_acknowledged_subtasks: 0 });
    expect(history.statistics().counts).toMatchObject({ total: 2, completed: 1, failed: 0, in_progress: 1 });
  });

  it('keeps the newest ones, and the newest of each kind beyond that', () => {
    trigger(1, 'savepoint');
    complete(1);
    trigger(2);
    history.failed({ epoch: 2, at: 2500, reason: 'no room' });
    for (let epoch = 3; epoch <= 9; epoch++) {
      trigger(epoch);
      complete(epoch);
    }
    history.discarded(8);
    history.restored({ epoch: 9, kind: 'checkpoint', at: 9500, path: '/chk-9' });
    const { history: entries, latest, counts } = history.statistics();
    expect(entries.map(({ id, discarded }) => [id, discarded])).toEqual([
      [9, false],
      [8, true],
      [7, false],
    ]);
    expect(latest).toMatchObject({
      completed: { id: 9, external_path: '/chk-9', checkpoint_type: 'CHECKPOINT' },
      savepoint: { id: 1, is_savepoint: true, savepointFormat: 'CANONICAL', checkpoint_type: 'SAVEPOINT' },
      failed: { id: 2, failure_timestamp: 2500, failure_message: 'no room', end_to_end_duration: 500 },
      restored: { id: 9, restore_timestamp: 9500, is_savepoint: false, external_path: '/chk-9' },
    });
    expect(counts).toEqual({ restored: 1, total: 9, in_progress: 0, completed: 8, failed: 1 });
    expect([history.details(1)?.id, history.details(2)?.id, history.details(3)]).toEqual([1, 2, undefined]);
  });

  it('fails what is in progress when its attempt has ended', () => {
    trigger(1);
    complete(1);
    trigger(2);
    history.failedInProgress({ at: 2100, reason: 'the attempt has ended' });
    expect(history.details(1)).toMatchObject({ status: 'COMPLETED' });
    expect(history.details(2)).toMatchObject({ status: 'FAILED', failure_message: 'the attempt has ended', end_to_end_duration: 100 });
    expect(history.statistics().counts).toMatchObject({ in_progress: 0, completed: 1, failed: 1 });
  });

  it('stays bounded when checkpoints never end', () => {
    for (let epoch = 1; epoch <= 100; epoch++) trigger(epoch);
    expect(history.statistics().history.length).toBeLessThanOrEqual(6);
    expect(history.details(100)?.id).toBe(100);
  });

  it('sums up durations by nearest rank', () => {
    for (let epoch = 1; epoch <= 1500; epoch++) {
      trigger(epoch);
      complete(epoch, epoch);
    }
    // The last thousand: 501 to 1500.
    expect(history.statistics().summary.end_to_end_duration).toEqual({
      min: 501,
      max: 1500,
      avg: 1001,
      p50: 1000,
      p90: 1400,
      p95: 1450,
      p99: 1490,
      p999: 1499,
    });
  });
});
