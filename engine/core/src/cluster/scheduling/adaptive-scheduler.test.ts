/** The adaptive scheduler's decisions, one by one and in random worlds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../common/random.js';
import type { JobGraph } from '../../plan/job-graph.js';
import type { ResourceRequirements } from '../gateway/job-info.js';
import { placeSubtasks } from '../placement.js';
import { decide, RESCALE_RETRY_MS } from './adaptive-scheduler.js';
import {
  type AdaptiveAction,
  type AdaptiveEvent,
  type AdaptiveSchedulerConfig,
  type AdaptiveState,
  createAdaptiveState,
} from './adaptive-scheduler-state.js';
import { pipeline } from './job-graph-sketch.test.support.js';
import { graphForSlots, isWithinBounds, subtaskCount } from './job-parallelism.js';

const CONFIG: AdaptiveSchedulerConfig = {
  waitTimeoutMs: 300_000,
  submissionStabilizationMs: 10_000,
  executingStabilizationMs: 60_000,
  cooldownMs: 30_000,
  minParallelismIncrease: 1,
  maxCheckpointFailures: 2,
  maxTriggerDelayMs: undefined,
};
const GRAPH = pipeline({ parallelism: 4 });

function bounds(lowerBound: number, upperBound: number): ResourceRequirements {
  return { a: { parallelism: { lowerBound, upperBound } } };
}

type Body<Event> = Event extends unknown ? Omit<Event, 'now' | 'slots'> : never;

/** A scheduler on virtual time. */
class Scheduler {
  state: AdaptiveState;
  now = 0;
  slots = 0;

  constructor(config: Partial<AdaptiveSchedulerConfig> = {}, requirements: ResourceRequirements = bounds(1, 4)) {
    this.state = createAdaptiveState({ ...CONFIG, ...config }, GRAPH, requirements);
  }

  tell(body: Body<AdaptiveEvent>): AdaptiveAction[] {
    const { state, actions } = decide(this.state, { ...body, now: this.now, slots: this.slots } as AdaptiveEvent);
    this.state = state;
    return actions.filter(({ type }) => type !== 'scheduleAt');
  }

  allocate(reason: 'submitted' | 'failed' | 'rescaled' = 'submitted', rescalable = true): AdaptiveAction[] {
    return this.tell({ type: 'allocate', reason, graph: GRAPH, rescalable });
  }

  come(slots: number): AdaptiveAction[] {
    this.slots = slots;
    return this.tell({ type: 'slotsChanged' });
  }

  /** Lets alarms go off until then; the actions with their times. */
  until(time: number): [number, string][] {
    const seen: [number, string][] = [];
    while (this.state.wakeAt !== undefined && this.state.wakeAt <= time) {
      this.now = Math.max(this.now, this.state.wakeAt);
      for (const action of this.tell({ type: 'timer' })) seen.push([this.now, describeAction(action)]);
    }
    this.now = time;
    return seen;
  }

  /** Runs with so many slots from now on. */
  start(slots: number): void {
    this.slots = slots;
    expect(this.allocate('rescaled').map(({ type }) => type)).toEqual(['start']);
    this.tell({ type: 'running' });
  }
}

function describeAction(action: AdaptiveAction): string {
  return action.type === 'start' ? `start ${action.graph.vertices[0]?.parallelism}` : action.type;
}

describe('an adaptive job that waits', () => {
  it('starts at once with all that it asks for', () => {
    const scheduler = new Scheduler();
    scheduler.slots = 5;
    expect(scheduler.allocate().map(describeAction)).toEqual(['start 4']);
  });

  it('starts with fewer slots after the stabilisation, counted from when they sufficed', () => {
    const scheduler = new Scheduler({}, bounds(2, 4));
    expect(scheduler.allocate()).toEqual([]);
    scheduler.now = 5000;
    scheduler.come(1);
    scheduler.now = 7000;
    scheduler.come(2);
    scheduler.now = 12_000;
    scheduler.come(3);
    expect(scheduler.until(60_000)).toEqual([[17_000, 'start 3']]);
  });

  it('begins the stabilisation anew when slots did not suffice for a while', () => {
    const scheduler = new Scheduler({}, bounds(2, 4));
    scheduler.slots = 2;
    scheduler.allocate();
    scheduler.now = 9000;
    scheduler.come(1);
    scheduler.now = 11_000;
    scheduler.come(2);
    expect(scheduler.until(60_000)).toEqual([[21_000, 'start 2']]);
  });

  it('starts with what there is when the waiting time is over, or gives up', () => {
    const late = new Scheduler({ waitTimeoutMs: 8000 });
    late.slots = 1;
    late.allocate();
    expect(late.until(60_000)).toEqual([[8000, 'start 1']]);
    const short = new Scheduler({ waitTimeoutMs: 8000 }, bounds(2, 4));
    short.slots = 1;
    short.allocate();
    expect(short.until(60_000)).toEqual([[8000, 'giveUp']]);
    const patient = new Scheduler({ waitTimeoutMs: undefined }, bounds(2, 4));
    patient.allocate();
    expect(patient.until(1e9)).toEqual([]);
  });

  it('waits after a failure only for what the failure has cost', () => {
    const scheduler = new Scheduler();
    scheduler.start(3);
    scheduler.tell({ type: 'ended' });
    expect(scheduler.allocate('failed').map(describeAction)).toEqual(['start 3']);
    scheduler.tell({ type: 'ended' });
    scheduler.slots = 2;
    expect(scheduler.allocate('failed')).toEqual([]);
    expect(scheduler.until(60_000)).toEqual([[10_000, 'start 2']]);
  });

  it('sets an alarm again that went off too early', () => {
    const scheduler = new Scheduler();
    scheduler.slots = 1;
    scheduler.allocate();
    const { wakeAt } = scheduler.state;
    const early: AdaptiveEvent = { type: 'timer', now: 9999.9, slots: 1 };
    expect(decide(scheduler.state, early).actions).toEqual([{ type: 'scheduleAt', time: wakeAt }]);
  });

  it('takes nothing after it was withdrawn', () => {
    const scheduler = new Scheduler();
    scheduler.allocate();
    scheduler.tell({ type: 'withdrawn' });
    expect(scheduler.come(4)).toEqual([]);
  });
});

describe('an adaptive job that runs', () => {
  it('rescales to all that it asks for after the cool-down', () => {
    const scheduler = new Scheduler();
    scheduler.start(1);
    scheduler.now = 2000;
    expect(scheduler.come(4)).toEqual([]);
    expect(scheduler.until(100_000)).toEqual([[30_000, 'rescale']]);
    const later = new Scheduler();
    later.start(1);
    later.now = 40_000;
    expect(later.come(4).map(describeAction)).toEqual(['rescale']);
  });

  it('rescales to less than that after the stabilisation', () => {
    const scheduler = new Scheduler();
    scheduler.start(1);
    scheduler.now = 2000;
    scheduler.come(2);
    scheduler.now = 20_000;
    scheduler.come(3);
    expect(scheduler.until(100_000)).toEqual([[62_000, 'rescale']]);
  });

  it('does not rescale for slots that went again, or for too few', () => {
    const scheduler = new Scheduler({ minParallelismIncrease: 2 });
    scheduler.start(1);
    scheduler.now = 2000;
    scheduler.come(3);
    scheduler.now = 50_000;
    scheduler.come(2);
    expect(scheduler.until(500_000)).toEqual([]);
    scheduler.come(3);
    expect(scheduler.until(1_000_000)).toEqual([[560_000, 'rescale']]);
  });

  it('rescales down when its bounds are changed, and stays where they allow it', () => {
    const scheduler = new Scheduler({ cooldownMs: 0 });
    scheduler.start(4);
    expect(scheduler.tell({ type: 'requirementsChanged', requirements: bounds(1, 6) })).toEqual([]);
    expect(scheduler.tell({ type: 'requirementsChanged', requirements: bounds(1, 2) }).map(describeAction)).toEqual(['rescale']);
    scheduler.tell({ type: 'ended' });
    expect(scheduler.allocate('rescaled').map(describeAction)).toEqual(['start 2']);
  });

  it('asks for the checkpoint again, and goes on from the last one after so many failures', () => {
    const scheduler = new Scheduler({ cooldownMs: 0 });
    scheduler.start(1);
    expect(scheduler.come(4).map(describeAction)).toEqual(['rescale']);
    expect(scheduler.tell({ type: 'rescaleRefused' })).toEqual([]);
    expect(scheduler.until(5000)).toEqual([[RESCALE_RETRY_MS, 'rescale']]);
    expect(scheduler.tell({ type: 'rescaleRefused' }).map(describeAction)).toEqual(['restart']);
    expect(scheduler.come(5)).toEqual([]);
  });

  it('asks anew after a restart that came to nothing', () => {
    const scheduler = new Scheduler({ cooldownMs: 100, maxCheckpointFailures: 1 });
    scheduler.start(1);
    scheduler.now = 100;
    scheduler.come(4);
    expect(scheduler.tell({ type: 'rescaleRefused' }).map(describeAction)).toEqual(['restart']);
    scheduler.now = 150;
    expect(scheduler.tell({ type: 'rescaleRefused' })).toEqual([]);
    expect(scheduler.until(5000)).toEqual([[250, 'rescale']]);
  });

  it('goes on from the last checkpoint when one takes too long', () => {
    const scheduler = new Scheduler({ cooldownMs: 0, maxTriggerDelayMs: 700 });
    scheduler.start(1);
    scheduler.come(4);
    expect(scheduler.until(5000)).toEqual([[700, 'restart']]);
  });

  it('forgets the rescaling if the slots are gone when the checkpoint is to be tried again', () => {
    const scheduler = new Scheduler({ cooldownMs: 0 });
    scheduler.start(1);
    scheduler.come(4);
    scheduler.tell({ type: 'rescaleRefused' });
    scheduler.come(1);
    expect(scheduler.until(100_000)).toEqual([]);
    expect(scheduler.come(4).map(describeAction)).toEqual(['rescale']);
  });

  it('does not rescale without checkpoints', () => {
    const scheduler = new Scheduler({ cooldownMs: 0 });
    scheduler.slots = 1;
    scheduler.allocate('rescaled', false);
    scheduler.tell({ type: 'running' });
    scheduler.come(4);
    expect(scheduler.until(1e6)).toEqual([]);
  });
});

/** Delivers random events and checks every action against the invariants. */
function randomWorld(seed: number): number {
  const random = seededRandom(seed);
  const config: AdaptiveSchedulerConfig = {
    waitTimeoutMs: random.below(3) === 0 ? undefined : random.below(400),
    submissionStabilizationMs: random.below(100),
    executingStabilizationMs: random.below(100),
    cooldownMs: random.below(100),
    minParallelismIncrease: 1 + random.below(3),
    maxCheckpointFailures: 1 + random.below(3),
    maxTriggerDelayMs: random.below(2) === 0 ? undefined : random.below(3000),
  };
  const graph = pipeline({ parallelism: 4, group: 'x' }, { parallelism: 3, group: 'y' });
  const anyBounds = (): ResourceRequirements =>
    Object.fromEntries(
      ['a', 'b'].map((id) => {
        const lowerBound = 1 + random.below(3);
        return [id, { parallelism: { lowerBound, upperBound: lowerBound + random.below(4) } }];
      }),
    );
  let state = createAdaptiveState(config, graph, anyBounds());
  let now = 0;
  let slots = 0;
  let attempt: { graph: JobGraph; runningSince: number | undefined; asked: boolean; refusals: number; restarted: boolean } | undefined;
  let isWaiting = false;
  let rescalable = true;
  let rescales = 0;
  const check = (action: AdaptiveAction): void => {
    switch (action.type) {
      case 'start':
        expect(isWaiting).toBe(true);
        expect(isWithinBounds(action.graph, state.requirements)).toBe(true);
        expect(placeSubtasks(action.graph).slots).toBeLessThanOrEqual(slots);
        isWaiting = false;
        attempt = { graph: action.graph, runningSince: undefined, asked: false, refusals: 0, restarted: false };
        break;
      case 'giveUp':
        expect(isWaiting && config.waitTimeoutMs !== undefined).toBe(true);
        expect(graphForSlots(graph, state.requirements, slots)).toBeUndefined();
        isWaiting = false;
        break;
      case 'rescale': {
        const { runningSince, asked, graph: running } = attempt as NonNullable<typeof attempt>;
        expect(asked).toBe(false);
        expect(rescalable).toBe(true);
        expect(now - (runningSince as number)).toBeGreaterThanOrEqual(config.cooldownMs);
        const target = graphForSlots(graph, state.requirements, slots) as JobGraph;
        expect(subtaskCount(target) > subtaskCount(running) || !isWithinBounds(running, state.requirements)).toBe(true);
        (attempt as NonNullable<typeof attempt>).asked = true;
        rescales++;
        break;
      }
      case 'restart': {
        const { refusals, restarted } = attempt as NonNullable<typeof attempt>;
        expect(restarted).toBe(false);
        expect(refusals >= config.maxCheckpointFailures || config.maxTriggerDelayMs !== undefined).toBe(true);
        (attempt as NonNullable<typeof attempt>).restarted = true;
        break;
      }
      case 'scheduleAt':
        expect(action.time === undefined || Number.isFinite(action.time)).toBe(true);
        break;
    }
  };
  const tell = (body: Body<AdaptiveEvent>): void => {
    const { state: after, actions } = decide(state, { ...body, now, slots } as AdaptiveEvent);
    state = after;
    for (const action of actions) check(action);
  };
  const end = (): void => {
    attempt = undefined;
    tell({ type: 'ended' });
  };
  for (let step = 0; step < 80; step++) {
    now += random.below(60);
    const choice = random.below(10);
    if (choice < 3 && state.wakeAt !== undefined) {
      now = Math.max(now, state.wakeAt);
      tell({ type: 'timer' });
    } else if (choice < 6) {
      slots = random.below(12);
      tell({ type: 'slotsChanged' });
    } else if (choice === 6) {
      tell({ type: 'requirementsChanged', requirements: anyBounds() });
    } else if (attempt === undefined && !isWaiting) {
      isWaiting = true;
      rescalable = random.below(5) > 0;
      tell({ type: 'allocate', reason: (['submitted', 'failed', 'rescaled'] as const)[random.below(3)] ?? 'failed', graph, rescalable });
    } else if (attempt === undefined) {
      if (random.below(3) > 0) continue;
      isWaiting = false;
      tell({ type: 'withdrawn' });
    } else if (attempt.runningSince === undefined) {
      attempt.runningSince = now;
      tell({ type: 'running' });
    } else if (attempt.restarted || choice === 9) {
      end();
    } else if (attempt.asked) {
      attempt.asked = false;
      attempt.refusals++;
      tell({ type: 'rescaleRefused' });
    }
  }
  return rescales;
}

it('keeps its invariants whatever happens', () => {
  let rescales = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      rescales += randomWorld(seed);
    }),
    { seed: 22, numRuns: 600 },
  );
  expect(rescales).toBeGreaterThan(300);
});
