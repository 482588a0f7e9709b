/** Random worlds around the coordinator: whatever happens in whatever order, the invariants of its head comment hold. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seededRandom } from '../common/random.js';
import { canStopRegions, decide } from './coordinator.js';
import {
  type CheckpointRequest,
  type CoordinatorAction,
  type CoordinatorEvent,
  type CoordinatorState,
  createCoordinatorState,
  type SubtaskId,
} from './coordinator-state.js';
import type { EpochInterval } from './job-record.js';

const SUBTASKS: SubtaskId[] = [0, 1, 2].map((subtaskIndex) => ({ vertexId: 'v', subtaskIndex }));
const ORDER = ['trigger', 'writeMetadata', 'metadataWritten', 'commitRecord', 'recordCommitted', 'notifyComplete'];

interface Setting {
  readonly seed: number;
  readonly intervalMs: number | undefined;
  readonly minPauseMs: number;
  readonly timeoutMs: number;
  readonly tolerableFailures: number;
  readonly blockSize: number;
}

/** Delivers events that the actions make possible, late, lost or in any order, and checks every action. */
class World {
  private readonly random;
  private readonly setting: Setting;
  private state: CoordinatorState;
  private block: EpochInterval;
  private now = 0;
  private readonly possible: CoordinatorEvent[] = [];
  private readonly stages = new Map<number, string[]>();
  private readonly asked = new Map<string, number>();
  private readonly acknowledged = new Map<number, Set<number>>();
  /** Requests that end the sources. */
  private readonly drains = new Set<string>();
  /** Who asked for what is in progress. */
  private requested: string | undefined;
  private inProgress: number | undefined;
  private lastEpoch = 0;
  private lastCompleted = 0;
  private lastPeriodicAt = 0;
  private lastEndedAt = Number.NEGATIVE_INFINITY;
  private ended = false;
  private readonly finished = new Set<number>();
  private readonly down = new Set<number>();
  /** Checkpoints that were given up because a region failed. */
  givenUp = 0;

  constructor(setting: Setting) {
    this.setting = setting;
    this.random = seededRandom(setting.seed);
    this.block = { first: 1, last: setting.blockSize };
    this.state = createCoordinatorState(setting, this.block, 0);
  }

  run(steps: number): Map<number, string[]> {
    for (let i = 0; i < steps; i++) this.step();
    this.deliver({ type: 'tasksStopped', reason: 'end of the test', now: this.now });
    for (const event of this.possible.splice(0)) if (event.type === 'recordCommitted') this.deliver({ ...event, now: this.now });
    for (const [id, answers] of this.asked) {
      if (this.inProgress === undefined) expect(answers, `answers to ${id}`).toBe(1);
    }
    return this.stages;
  }

  private step(): void {
    this.now += this.random.below(60);
    const choice = this.random.below(100);
    const subtask = SUBTASKS[this.random.below(SUBTASKS.length)] as SubtaskId;
    const { now } = this;
    if (choice < 55 && this.possible.length > 0) {
      const [event] = this.possible.splice(this.random.below(this.possible.length), 1) as [CoordinatorEvent];
      if (this.random.below(12) === 0) this.possible.push(event);
      this.deliver({ ...event, now });
    } else if (choice < 80) {
      this.deliver({ type: 'timer', now });
    } else if (choice < 84) {
      this.deliver({ type: 'tasksRunning', subtasks: SUBTASKS, now });
    } else if (choice < 87) {
      this.deliver({ type: 'triggerRequested', request: this.request(), now });
    } else if (choice < 88) {
      this.finished.add(subtask.subtaskIndex);
      this.deliver({ type: 'subtaskFinished', subtask, now });
    } else if (choice < 92) {
      this.deliver({ type: 'declined', epoch: this.anyEpoch(), reason: 'no', now });
    } else if (choice < 94) {
      this.deliver({ type: 'acknowledged', epoch: this.anyEpoch(), subtask, now });
    } else if (choice === 95) {
      this.stopRegion(subtask);
    } else if (choice > 95) {
      this.down.delete(subtask.subtaskIndex);
      this.deliver({ type: 'regionsRunning', subtasks: [subtask], now });
    } else if (choice === 94 && this.random.below(10) === 0) {
      this.deliver({ type: 'tasksStopped', reason: 'failed', now });
    }
  }

  /** Does what an attempt does when a region of one subtask fails. */
  private stopRegion(subtask: SubtaskId): void {
    const { pending } = this.state;
    if (!canStopRegions(this.state)) return;
    this.finished.delete(subtask.subtaskIndex);
    this.down.add(subtask.subtaskIndex);
    this.deliver({ type: 'regionsStopped', subtasks: [subtask], reason: 'a slot was lost', now: this.now });
    const isCutOff = pending !== undefined && pending.phase !== 'committing';
    if (isCutOff) this.givenUp++;
    expect(this.state.status, 'a failed region is no failed checkpoint').toBe('running');
    expect(this.state.pending, 'what can be completed goes on').toBe(isCutOff ? undefined : pending);
  }

  private anyEpoch(): number {
    return Math.max(1, this.lastEpoch - this.random.below(3));
  }

  private request(): CheckpointRequest {
    const id = `request ${this.asked.size}`;
    this.asked.set(id, 0);
    const stop = (['suspend', 'drain'] as const)[this.random.below(12)];
    if (stop === 'drain') this.drains.add(id);
    return { id, kind: this.random.below(2) === 0 ? 'savepoint' : 'checkpoint', stop, directory: undefined };
  }

  private deliver(event: CoordinatorEvent): void {
    if (event.type === 'tasksStopped') this.ended = true;
    if (event.type === 'acknowledged') {
      const known = this.acknowledged.get(event.epoch) ?? new Set();
      this.acknowledged.set(event.epoch, known.add(event.subtask.subtaskIndex));
    }
    const before = this.state;
    const { state, actions } = decide(before, event);
    this.state = state;
    if (event.type === 'recordCommitted' && before.pending?.epoch === event.epoch && before.pending.phase === 'committing')
      this.committed(before);
    for (const action of actions) this.check(action);
  }

  private committed(before: CoordinatorState): void {
    const pending = before.pending as NonNullable<CoordinatorState['pending']>;
    this.stage(pending.epoch, 'recordCommitted');
    if (pending.kind === 'checkpoint') this.lastCompleted = pending.epoch;
    this.inProgress = undefined;
    this.lastEndedAt = this.now;
  }

  private stage(epoch: number, name: string): void {
    const stages = this.stages.get(epoch) ?? [];
    stages.push(name);
    this.stages.set(epoch, stages);
    const known = stages.filter((stage) => ORDER.includes(stage)).map((stage) => ORDER.indexOf(stage));
    expect(known, `order of ${epoch}`).toEqual([...new Set(known)].sort((a, b) => a - b));
  }

  private has(epoch: number, name: string): boolean {
    return this.stages.get(epoch)?.includes(name) === true;
  }

  private check(action: CoordinatorAction): void {
    const { now } = this;
    switch (action.type) {
      case 'trigger':
        this.checkTrigger(action);
        for (const subtask of action.subtasks) this.possible.push({ type: 'acknowledged', epoch: action.epoch, subtask, now });
        break;
      case 'abort':
        expect(action.epoch).toBe(this.inProgress);
        expect(this.has(action.epoch, 'commitRecord')).toBe(false);
        this.stage(action.epoch, 'abort');
        this.ended ||= this.drains.has(this.requested ?? '');
        this.inProgress = undefined;
        this.lastEndedAt = now;
        break;
      case 'writeMetadata':
        this.stage(action.epoch, 'writeMetadata');
        expect(this.acknowledged.get(action.epoch)?.size).toBe(SUBTASKS.length);
        this.possible.push(this.storeOutcome(action.epoch, { type: 'metadataWritten', epoch: action.epoch, now }));
        break;
      case 'commitRecord':
        this.stage(action.epoch, 'commitRecord');
        this.possible.push(this.storeOutcome(action.epoch, { type: 'recordCommitted', epoch: action.epoch, dropped: [], now }));
        break;
      case 'notifyComplete':
        expect(this.has(action.epoch, 'recordCommitted')).toBe(true);
        expect(this.has(action.epoch, 'abort')).toBe(false);
        this.stage(action.epoch, 'notifyComplete');
        if (action.stop !== undefined || action.final) this.ended = true;
        break;
      case 'discardEpoch':
      case 'discardSnapshot':
        expect(this.has(action.epoch, 'abort')).toBe(true);
        break;
      case 'reserveEpochs':
        this.block = { first: this.block.last + 1, last: this.block.last + this.setting.blockSize };
        this.possible.push({ type: 'epochsReserved', block: this.block, now });
        break;
      case 'answer':
        expect(this.has(action.epoch, 'recordCommitted')).toBe(true);
        this.answered(action.request);
        break;
      case 'refuse':
        this.answered(action.request);
        break;
      case 'failJob':
        this.ended = true;
        // Its outcome stays unknown: neither completed nor aborted.
        this.inProgress = undefined;
        break;
      case 'discardCheckpoints':
      case 'scheduleAt':
        break;
    }
  }

  private storeOutcome(epoch: number, success: CoordinatorEvent): CoordinatorEvent {
    if (this.random.below(15) > 0) return success;
    return { type: 'storeFailed', epoch, reason: 'EIO', now: this.now };
  }

  private answered(request: CheckpointRequest): void {
    this.asked.set(request.id, (this.asked.get(request.id) ?? 0) + 1);
    expect(this.asked.get(request.id), request.id).toBe(1);
  }

  private checkTrigger(action: CoordinatorAction & { type: 'trigger' }): void {
    expect(this.inProgress, 'one at a time').toBeUndefined();
    expect(this.ended, 'nothing after the end').toBe(false);
    expect(this.down.size, 'nothing while subtasks are down').toBe(0);
    expect(action.epoch).toBeGreaterThan(this.lastEpoch);
    expect(action.epoch).toBeGreaterThanOrEqual(this.block.first);
    expect(action.epoch).toBeLessThan(this.block.last);
    expect(action.lastCompleted).toBe(this.lastCompleted);
    if (action.request === undefined && this.finished.size < SUBTASKS.length) {
      expect(this.now - this.lastEndedAt).toBeGreaterThanOrEqual(this.setting.minPauseMs);
      expect(this.now - this.lastPeriodicAt).toBeGreaterThanOrEqual(this.setting.intervalMs ?? Number.POSITIVE_INFINITY);
      this.lastPeriodicAt = this.now;
    }
    this.lastEpoch = action.epoch;
    this.inProgress = action.epoch;
    this.requested = action.request?.id;
    this.stage(action.epoch, 'trigger');
  }
}

it('keeps its invariants whatever happens', () => {
  const reached = new Set<string>();
  let givenUp = 0;
  const setting = fc.record<Setting>({
    seed: fc.integer(),
    intervalMs: fc.constantFrom(undefined, 10, 200),
    minPauseMs: fc.constantFrom(0, 150),
    timeoutMs: fc.constantFrom(50, 100_000),
    tolerableFailures: fc.constantFrom(0, 3, 1000),
    blockSize: fc.constantFrom(2, 5, 1000),
  });
  fc.assert(
    fc.property(setting, (each) => {
      const world = new World(each);
      for (const stages of world.run(250).values()) reached.add(stages.join(' '));
      givenUp += world.givenUp;
    }),
    { seed: 7, numRuns: 1500 },
  );
  expect(givenUp).toBeGreaterThan(100);
  // The worlds were rich enough to end epochs in every way.
  expect([...reached].sort()).toEqual([
    'trigger abort',
    'trigger writeMetadata abort',
    'trigger writeMetadata commitRecord',
    'trigger writeMetadata commitRecord recordCommitted',
    'trigger writeMetadata commitRecord recordCommitted notifyComplete',
  ]);
});
