import { describe, expect, it } from 'vitest';
import { decide } from './coordinator.js';
import {
  type CheckpointConfig,
  type CheckpointRequest,
  type CoordinatorAction,
  type CoordinatorEvent,
  type CoordinatorState,
  createCoordinatorState,
  DEFAULT_CHECKPOINT_CONFIG,
  type SubtaskId,
} from './coordinator-state.js';

const SUBTASKS: SubtaskId[] = [
  { vertexId: 'source', subtaskIndex: 0 },
  { vertexId: 'sink', subtaskIndex: 0 },
];
const SAVEPOINT: CheckpointRequest = { id: 's', kind: 'savepoint', stop: undefined, directory: '/savepoints' };

type EventWithoutNow = CoordinatorEvent extends infer E ? (E extends CoordinatorEvent ? Omit<E, 'now'> : never) : never;

/** A coordinator with a clock; `send` returns the actions, in short form where that says it all. */
class Driver {
  now = 0;
  state: CoordinatorState;

  constructor(config: Partial<CheckpointConfig> = {}, block: { first: number; last: number } = { first: 1, last: 100 }) {
    this.state = createCoordinatorState({ ...DEFAULT_CHECKPOINT_CONFIG, intervalMs: 1000, ...config }, block, 0);
  }

  send(event: EventWithoutNow): CoordinatorAction[] {
    const decision = decide(this.state, { ...event, now: this.now } as CoordinatorEvent);
    this.state = decision.state;
    return [...decision.actions];
  }

  start(): CoordinatorAction[] {
    return this.send({ type: 'tasksRunning', subtasks: SUBTASKS });
  }

  at(now: number): CoordinatorAction[] {
    this.now = now;
    return this.send({ type: 'timer' });
  }

  acknowledge(epoch: number): CoordinatorAction[] {
    return SUBTASKS.flatMap((subtask) => this.send({ type: 'acknowledged', epoch, subtask }));
  }

  store(epoch: number): CoordinatorAction[] {
    return [...this.send({ type: 'metadataWritten', epoch }), ...this.send({ type: 'recordCommitted', epoch, dropped: [] })];
  }

  complete(epoch: number): CoordinatorAction[] {
    return [...this.acknowledge(epoch), ...this.store(epoch)];
  }

  finishAll(): CoordinatorAction[] {
    return SUBTASKS.flatMap((subtask) => this.send({ type: 'subtaskFinished', subtask }));
  }
}

const types = (actions: readonly CoordinatorAction[]): string[] => actions.map((action) => action.type);
const trigger = (epoch: number, lastCompleted = 0): object => expect.objectContaining({ type: 'trigger', epoch, lastCompleted });

describe('checkpoint coordinator', () => {
  it('goes through trigger, acknowledgements, metadata, record and notification', () => {
    const driver = new Driver();
    expect(driver.start()).toEqual([{ type: 'scheduleAt', time: 1000 }]);
    expect(driver.at(1000)).toEqual([
      { type: 'trigger', epoch: 1, kind: 'checkpoint', lastCompleted: 0, request: undefined, subtasks: SUBTASKS },
      { type: 'scheduleAt', time: 601_000 },
    ]);
    driver.now = 1200;
    expect(driver.send({ type: 'acknowledged', epoch: 1, subtask: SUBTASKS[0] as SubtaskId })).toEqual([]);
    expect(driver.send({ type: 'acknowledged', epoch: 1, subtask: SUBTASKS[0] as SubtaskId })).toEqual([]);
    expect(driver.send({ type: 'acknowledged', epoch: 1, subtask: SUBTASKS[1] as SubtaskId })).toEqual([
      { type: 'writeMetadata', epoch: 1 },
    ]);
    expect(driver.send({ type: 'metadataWritten', epoch: 1 })).toEqual([
      { type: 'commitRecord', epoch: 1 },
      { type: 'scheduleAt', time: undefined },
    ]);
    const dropped = [{ epoch: 0, path: 'chk-0', kind: 'checkpoint' as const, timestamp: 0, committed: true }];
    expect(driver.send({ type: 'recordCommitted', epoch: 1, dropped })).toEqual([
      { type: 'discardCheckpoints', checkpoints: dropped },
      { type: 'notifyComplete', epoch: 1, kind: 'checkpoint', stop: undefined, final: false },
      { type: 'scheduleAt', time: 2000 },
    ]);
    expect(driver.at(2000)).toContainEqual(trigger(2, 1));
  });

  it('keeps interval and minimum pause', () => {
    const driver = new Driver({ minPauseMs: 500 });
    driver.start();
    expect(driver.at(999)).toEqual([{ type: 'scheduleAt', time: 1000 }]);
    driver.at(1000);
    driver.now = 1900;
    expect(driver.complete(1)).toContainEqual({ type: 'scheduleAt', time: 2400 });
    expect(types(driver.at(2399))).not.toContain('trigger');
    expect(driver.at(2400)).toContainEqual(trigger(2, 1));
  });

  it('triggers nothing while one is in progress, and the next one at once when that took longer than the interval', () => {
    const driver = new Driver();
    driver.start();
    driver.at(1000);
    expect(types(driver.at(5000))).not.toContain('trigger');
    expect(driver.complete(1)).toContainEqual(trigger(2, 1));
  });

  it('fails the job when more checkpoints fail in a row than tolerated', () => {
    const driver = new Driver({ tolerableFailures: 1 });
    driver.start();
    driver.at(1000);
    expect(types(driver.send({ type: 'declined', epoch: 1, reason: 'no' }))).toEqual(['abort', 'discardEpoch', 'scheduleAt']);
    driver.at(2000);
    driver.complete(2);
    driver.at(3000);
    expect(types(driver.send({ type: 'declined', epoch: 3, reason: 'no' }))).not.toContain('failJob');
    expect(driver.at(4000)).toContainEqual(trigger(4, 2));
    expect(driver.send({ type: 'declined', epoch: 4, reason: 'disk on fire' })).toContainEqual({
      type: 'failJob',
      reason: 'checkpoint 4 failed (tolerable-failed-checkpoints is 1): disk on fire',
    });
    expect(driver.at(9000)).toEqual([]);
  });

  it('gives up after the timeout, and discards what still arrives', () => {
    const driver = new Driver({ tolerableFailures: 5, timeoutMs: 300 });
    driver.start();
    driver.at(1000);
    driver.send({ type: 'acknowledged', epoch: 1, subtask: SUBTASKS[0] as SubtaskId });
    expect(driver.at(1299)).toContainEqual({ type: 'scheduleAt', time: 1300 });
    const actions = driver.at(1300);
    expect(types(actions)).toEqual(['abort', 'discardEpoch', 'scheduleAt']);
    expect(actions[0]).toMatchObject({ reason: "it timed out after 300 ms, waiting for subtask 0 of 'sink'" });
    const [, subtask] = SUBTASKS as [SubtaskId, SubtaskId];
    expect(driver.send({ type: 'acknowledged', epoch: 1, subtask })).toEqual([{ type: 'discardSnapshot', epoch: 1, subtask }]);
    expect(driver.send({ type: 'declined', epoch: 1, reason: 'late' })).toEqual([]);
  });

  it('gives up when the metadata cannot be written in time; what is written later is discarded', () => {
    const driver = new Driver({ tolerableFailures: 5, timeoutMs: 300 });
    driver.start();
    driver.at(1000);
    driver.acknowledge(1);
    expect(driver.at(1300)[0]).toMatchObject({ type: 'abort', reason: expect.stringContaining('writing its metadata') });
    expect(driver.send({ type: 'metadataWritten', epoch: 1 })).toEqual([{ type: 'discardEpoch', epoch: 1 }]);
    driver.at(2000);
    driver.acknowledge(2);
    expect(types(driver.send({ type: 'storeFailed', epoch: 2, reason: 'full' }))).toEqual(['abort', 'discardEpoch', 'scheduleAt']);
  });

  it('discards nothing and fails the job when a commit has an unknown outcome', () => {
    const driver = new Driver({ tolerableFailures: 100 });
    driver.start();
    driver.at(1000);
    driver.acknowledge(1);
    driver.send({ type: 'metadataWritten', epoch: 1 });
    expect(driver.at(10_000_000)).toEqual([]);
    expect(types(driver.send({ type: 'storeFailed', epoch: 1, reason: 'EIO' }))).toEqual(['failJob']);
    expect(types(driver.send({ type: 'acknowledged', epoch: 1, subtask: SUBTASKS[0] as SubtaskId }))).toEqual([]);
  });

  it('never triggers the last number of a block', () => {
    const driver = new Driver({}, { first: 1, last: 2 });
    driver.start();
    driver.at(1000);
    driver.complete(1);
    expect(driver.at(2000)).toEqual([{ type: 'reserveEpochs' }]);
    expect(driver.at(3000)).toEqual([]);
    expect(driver.send({ type: 'epochsReserved', block: { first: 3, last: 12 } })).toContainEqual(trigger(3, 1));
    const other = new Driver({}, { first: 1, last: 1 });
    other.start();
    other.at(1000);
    expect(types(other.send({ type: 'reserveFailed', reason: 'conflict' }))).toContain('failJob');
  });

  it('takes a final checkpoint at once when everything has finished, and nothing after it', () => {
    const driver = new Driver();
    driver.start();
    expect(driver.finishAll()).toContainEqual(trigger(1));
    expect(driver.complete(1)).toContainEqual({ type: 'notifyComplete', epoch: 1, kind: 'checkpoint', stop: undefined, final: true });
    expect(driver.at(10_000)).toEqual([]);
    expect(driver.send({ type: 'triggerRequested', request: SAVEPOINT })).toEqual([
      { type: 'refuse', request: SAVEPOINT, reason: 'the job is not running any more' },
    ]);
  });

  it('takes another checkpoint after one that was triggered before the last subtask finished', () => {
    const driver = new Driver({ intervalMs: undefined });
    driver.start();
    driver.send({ type: 'triggerRequested', request: { ...SAVEPOINT, kind: 'checkpoint' } });
    driver.finishAll();
    const actions = driver.complete(1);
    expect(actions).toContainEqual({ type: 'notifyComplete', epoch: 1, kind: 'checkpoint', stop: undefined, final: false });
    expect(actions).toContainEqual(trigger(2, 1));
  });

  it('tries the final checkpoint again after a pause', () => {
    const driver = new Driver({ tolerableFailures: 3 });
    driver.start();
    driver.now = 100;
    driver.finishAll();
    expect(driver.send({ type: 'declined', epoch: 1, reason: 'no' })).toContainEqual({ type: 'scheduleAt', time: 1100 });
    expect(driver.at(1100)).toContainEqual(trigger(2));
  });

  it('takes a savepoint on request; deltas stay relative to the last checkpoint', () => {
    const driver = new Driver({ minPauseMs: 800 });
    driver.start();
    driver.at(1000);
    driver.send({ type: 'triggerRequested', request: SAVEPOINT });
    const actions = driver.complete(1);
    expect(actions).toContainEqual(
      expect.objectContaining({ type: 'trigger', epoch: 2, kind: 'savepoint', request: SAVEPOINT, lastCompleted: 1 }),
    );
    const completed = driver.complete(2);
    expect(completed).toContainEqual({ type: 'answer', request: SAVEPOINT, epoch: 2 });
    expect(completed).toContainEqual({ type: 'notifyComplete', epoch: 2, kind: 'savepoint', stop: undefined, final: false });
    expect(driver.at(2000)).toContainEqual(trigger(3, 1));
  });

  it('does not fail the job over a requested savepoint', () => {
    const driver = new Driver();
    driver.start();
    driver.send({ type: 'triggerRequested', request: SAVEPOINT });
    const actions = driver.send({ type: 'declined', epoch: 1, reason: 'no room' });
    expect(types(actions)).toEqual(['abort', 'discardEpoch', 'refuse', 'scheduleAt']);
    expect(driver.at(1000)).toContainEqual(trigger(2));
  });

  it('stops the job after a savepoint that asks for it', () => {
    const driver = new Driver();
    driver.start();
    const request: CheckpointRequest = { ...SAVEPOINT, stop: 'drain' };
    driver.send({ type: 'triggerRequested', request });
    const second: CheckpointRequest = { ...SAVEPOINT, id: 'second' };
    driver.send({ type: 'triggerRequested', request: second });
    const actions = driver.complete(1);
    expect(actions).toContainEqual({ type: 'notifyComplete', epoch: 1, kind: 'savepoint', stop: 'drain', final: false });
    expect(actions).toContainEqual({ type: 'answer', request, epoch: 1 });
    expect(actions).toContainEqual({ type: 'refuse', request: second, reason: 'the job has ended' });
    expect(driver.at(10_000)).toEqual([]);
  });

  it('fails the job if a drain was triggered and does not complete: its sources have ended', () => {
    const driver = new Driver();
    driver.start();
    const request: CheckpointRequest = { ...SAVEPOINT, stop: 'drain' };
    driver.send({ type: 'triggerRequested', request });
    const actions = driver.send({ type: 'declined', epoch: 1, reason: 'no room' });
    expect(types(actions)).toEqual(['abort', 'discardEpoch', 'refuse', 'failJob', 'scheduleAt']);
    expect(actions[3]).toMatchObject({ reason: 'its sources had ended for savepoint 1, which failed: no room' });
    expect(driver.at(10_000)).toEqual([]);
  });

  it('keeps requests until the tasks run, and refuses them when they stop', () => {
    const driver = new Driver();
    expect(driver.send({ type: 'triggerRequested', request: SAVEPOINT })).toEqual([]);
    expect(driver.start()).toContainEqual(trigger(1));
    const actions = driver.send({ type: 'tasksStopped', reason: 'slot 1 is gone' });
    expect(types(actions)).toEqual(['abort', 'discardEpoch', 'refuse', 'scheduleAt']);
    expect(actions[2]).toMatchObject({ reason: 'slot 1 is gone' });
  });

  it('lets a commit end that was under way when the tasks stopped, without telling them', () => {
    const driver = new Driver();
    driver.start();
    driver.send({ type: 'triggerRequested', request: SAVEPOINT });
    driver.acknowledge(1);
    driver.send({ type: 'metadataWritten', epoch: 1 });
    expect(driver.send({ type: 'tasksStopped', reason: 'gone' })).toEqual([]);
    expect(driver.send({ type: 'recordCommitted', epoch: 1, dropped: [] })).toEqual([{ type: 'answer', request: SAVEPOINT, epoch: 1 }]);
  });
});
