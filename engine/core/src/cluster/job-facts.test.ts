import { beforeEach, describe, expect, it } from 'vitest';
import { MillstreamError } from '../common/errors.js';
import type { JobGraph, JobVertex } from '../plan/job-graph.js';
import type { TaskMetrics } from '../runtime/slot-messages.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { failoverRegions } from './failover-regions.js';
import { vertexBackPressure } from './gateway/present-vertex.js';
import { JobFactsCollector } from './job-facts.js';
import { placeSubtasks } from './placement.js';
import type { RegisteredTaskManager } from './registered-task-manager.js';

const vertex = (id: string, parallelism: number): JobVertex =>
  ({ id, name: id, parallelism, chain: [], inputs: [], slotSharingGroup: 'default' }) as unknown as JobVertex;
const GRAPH = { jobName: 'job', structuralHash: 'h', vertices: [vertex('source', 1), vertex('sum', 2)], edges: [] } as unknown as JobGraph;

function metrics(vertexId: string, subtask: number, busyMs: number): TaskMetrics {
  const figures = { recordsIn: [1], watermark: 0, backPressuredMs: 0, idleMs: 0, lateRecordsDropped: 0, recordsInErrors: 0 };
  return { vertexId, subtask, busyMs, stateEntries: 0, stateColumnBytes: 0, ...figures };
}

let clock: VirtualClock;
let facts: JobFactsCollector;

function states(): string[] {
  return facts.subtasks.map(({ vertexId, subtask, state }) => `${vertexId} ${subtask} ${state}`);
}

beforeEach(() => {
  clock = new VirtualClock(1_000_000);
  facts = new JobFactsCollector(GRAPH, clock, { checkpoints: 2, exceptions: 3 });
  facts.attemptStarted(1, GRAPH);
  facts.running();
});

describe('the facts of a job', () => {
  it('know which subtasks have finished, and when', () => {
    clock.advanceBy(100);
    facts.subtaskFinished('source', 0);
    facts.subtaskFinished('no such vertex', 0);
    expect(states()).toEqual(['source 0 FINISHED', 'sum 0 RUNNING', 'sum 1 RUNNING']);
    clock.advanceBy(100);
    facts.ended('FINISHED');
    expect(facts.subtasks.map(({ timestamps }) => timestamps.FINISHED)).toEqual([1_000_100, 1_000_200, 1_000_200]);
  });

  it('go through the states of the job and its subtasks, each with its time', () => {
    const fresh = new JobFactsCollector(GRAPH, clock);
    const seen: string[] = [];
    const note = (): void => {
      seen.push([fresh.state, ...new Set(fresh.subtasks.map(({ state }) => state))].join(' '));
      clock.advanceBy(10);
    };
    const host = { id: 'tm', description: { data: { host: 'machine', port: 1 } } } as unknown as RegisteredTaskManager;
    note();
    fresh.slotsAwaited(GRAPH);
    note();
    fresh.attemptStarted(1, GRAPH);
    const placement = placeSubtasks(GRAPH);
    for (const region of failoverRegions(GRAPH, placement, false)) fresh.placed({ placement, region }, [host, host]);
    note();
    fresh.running();
    note();
    expect(fresh.subtasks.map(({ place }) => place?.taskManagerId)).toEqual(['tm', 'tm', 'tm']);
    expect(fresh.subtasks[2]?.timestamps).toEqual({ SCHEDULED: 1_000_020, DEPLOYING: 1_000_020, RUNNING: 1_000_030 });
    fresh.restarting(new MillstreamError('INTERNAL', 'lost'));
    note();
    fresh.ended('CANCELED');
    note();
    expect(seen).toEqual([
      'INITIALIZING',
      'CREATED SCHEDULED',
      'CREATED DEPLOYING',
      'RUNNING RUNNING',
      'RESTARTING FAILED',
      'CANCELED CANCELED',
    ]);
    expect(fresh.timestamps).toEqual({
      INITIALIZING: 1_000_000,
      CREATED: 1_000_020,
      RUNNING: 1_000_030,
      RESTARTING: 1_000_040,
      CANCELED: 1_000_050,
    });
  });

  it('know load as long as there is some', () => {
    facts.metrics(0, [metrics('sum', 0, 0)]);
    clock.advanceBy(1000);
    facts.metrics(0, [metrics('sum', 0, 400)]);
    clock.advanceBy(5000);
    const sums = (): typeof facts.subtasks => facts.subtasks.filter(({ vertexId }) => vertexId === 'sum');
    expect(vertexBackPressure(sums(), clock.now())).toMatchObject({
      status: 'ok',
      'end-timestamp': 1_001_000,
      subtasks: [{ subtask: 0, busyRatio: 0.4 }],
    });
    facts.subtaskFinished('sum', 0);
    facts.metrics(0, [metrics('sum', 0, 500)]);
    expect(vertexBackPressure(sums(), clock.now())).toEqual({ status: 'deprecated' });
    expect(facts.subtasks[1]?.metrics?.busyMs).toBe(500);
  });

  it('remember as much as they are told to', () => {
    for (let epoch = 1; epoch <= 5; epoch++) {
      facts.checkpointTriggered(epoch, 'checkpoint');
      facts.checkpointAcknowledged({ epoch, vertexId: 'sum', subtask: 1, writtenBytes: 10 * epoch, stateBytes: 100 * epoch });
      facts.checkpointCompleted({ epoch, kind: 'checkpoint', path: `/chk-${epoch}`, bytes: 10 * epoch, durationMs: 5, final: false });
      facts.restarting(new MillstreamError('INTERNAL', `number ${epoch}`));
    }
    expect(facts.checkpoints.statistics().history.map(({ id, checkpointed_size: size }) => [id, size])).toEqual([
      [5, 50],
      [4, 40],
    ]);
    expect(facts.exceptions.toInfo().exceptionHistory).toMatchObject({ entries: [{}, {}, {}], truncated: true });
  });

  it('fail the checkpoint that the end of its attempt cuts off, and know what the next one begins with', () => {
    facts.checkpointTriggered(7, 'checkpoint');
    facts.restarting(new MillstreamError('INTERNAL', 'lost'));
    facts.checkpointRestored({ epoch: 6, kind: 'savepoint', path: '/s' });
    const { counts, latest } = facts.checkpoints.statistics();
    expect(counts).toMatchObject({ in_progress: 0, failed: 1, restored: 1 });
    expect(latest).toMatchObject({ failed: { id: 7 }, restored: { id: 6, is_savepoint: true, external_path: '/s' } });
  });

  it('say of each failure where it was, with what could not be closed after it', () => {
    const hosts = ['a', 'b'].map(
      (id, index) => ({ id, description: { data: { host: 'machine', port: index } } }) as unknown as RegisteredTaskManager,
    );
    const placed = (): void => {
      facts.attemptStarted(1, GRAPH);
      const placement = placeSubtasks(GRAPH);
      for (const region of failoverRegions(GRAPH, placement, false)) facts.placed({ placement, region }, hosts);
    };
    const bad = new MillstreamError('OPERATOR_FAILED', 'bad record');
    placed();
    facts.attemptFailed({ error: bad, slot: 1, task: { vertexId: 'sum', subtask: 1 } });
    facts.closeFailed(new MillstreamError('CLOSE_TIMEOUT', 'first'));
    facts.restarting(bad);
    placed();
    const lost = new MillstreamError('TASK_MANAGER_LOST', 'gone', { details: { taskManager: 'b' } });
    facts.attemptFailed({ error: lost, slot: undefined, task: undefined });
    facts.closeFailed(new MillstreamError('CLOSE_TIMEOUT', 'second'));
    facts.restarting(lost);
    facts.failed(new MillstreamError('NO_RESOURCE_AVAILABLE', 'no slots'));
    const [none, second, first] = facts.exceptions.toInfo().exceptionHistory.entries;
    expect(first).toMatchObject({
      exceptionName: 'OPERATOR_FAILED',
      taskName: 'sum (2/2)',
      taskManagerId: 'b',
      endpoint: 'machine:1',
      failureLabels: { domain: 'user' },
      concurrentExceptions: [{ stacktrace: expect.stringContaining('first') }],
    });
    expect(second).toMatchObject({
      exceptionName: 'TASK_MANAGER_LOST',
      taskManagerId: 'b',
      failureLabels: { domain: 'connector' },
      concurrentExceptions: [{ stacktrace: expect.stringContaining('second') }],
    });
    expect(none).toMatchObject({ exceptionName: 'NO_RESOURCE_AVAILABLE', concurrentExceptions: [] });
    expect(none).not.toHaveProperty('taskManagerId');
  });
});
