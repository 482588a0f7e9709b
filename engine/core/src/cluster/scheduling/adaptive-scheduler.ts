/**
 * The adaptive scheduler's decisions for one run: pure. The shell around it (adaptive-job-scheduler.ts, which has clock and pool) turns
 * what it hears into events and carries the actions out in order.
 *
 *            allocate              start                  running                        rescale
 *     idle ──────────▶ waiting ───────────▶ starting ───────────────▶ executing ─────────────────────▶ rescaling ─▶ (restarting)
 *      ▲                  │ giveUp              │                        │  ▲ not worth it any more       │   │ checkpoints fail
 *      └──────────────────┴────────── ended ────┴────────────────────────┴──┴────────────────────────────┴───┘
 *
 * A waiting job starts when there are slots for all that it asks for; or for as much as its last attempt had; or, where they suffice at
 * all, after the stabilisation or at the end of the waiting time. An executing job rescales when there are slots for all that it asks for,
 * after the cool-down; or, where only some can be gained, when that has lasted for the stabilisation as well.
 *
 * Invariants:
 *  1. `start` comes only in answer to `allocate`, at most once, with a graph within the bounds that fits into the slots.
 *  2. An attempt is rescaled only for another graph: gained subtasks, or bounds that it is outside of.
 *  3. Between the start of its tasks and `rescale` lies the cool-down.
 *  4. At most one `rescale` is unanswered, and `restart` comes at most once per attempt, only after the failures or the time that
 *     options allow.
 *  5. Without checkpoints nothing is rescaled.
 */
import type { JobGraph } from '../../plan/job-graph.js';
import type { AdaptiveAction, AdaptiveDecision, AdaptiveEvent, AdaptivePhase, AdaptiveState } from './adaptive-scheduler-state.js';
import { graphForSlots, isWithinBounds, slotDemand, subtaskCount } from './job-parallelism.js';

/** Pause before a checkpoint is asked for again. */
export const RESCALE_RETRY_MS = 1000;

const IDLE: AdaptivePhase = { name: 'idle' };

type Phase<Name extends AdaptivePhase['name']> = AdaptivePhase & { readonly name: Name };

/** The scheduler's answer to an event. */
export function decide(before: AdaptiveState, event: AdaptiveEvent): AdaptiveDecision {
  const actions: AdaptiveAction[] = [];
  const heard = hear({ ...before, slots: event.slots }, event);
  const after = { ...heard, phase: progress(heard, event.now, actions) };
  const wakeAt = nextWake(after);
  if (wakeAt === heard.wakeAt) return { state: after, actions };
  actions.push({ type: 'scheduleAt', time: wakeAt });
  return { state: { ...after, wakeAt }, actions };
}

function hear(state: AdaptiveState, event: AdaptiveEvent): AdaptiveState {
  const { phase } = state;
  switch (event.type) {
    case 'slotsChanged':
      return state;
    case 'timer':
      return { ...state, wakeAt: undefined };
    case 'allocate': {
      const { reason, graph, rescalable, now } = event;
      return { ...state, graph, rescalable, phase: { name: 'waiting', reason, since: now, sufficientSince: undefined } };
    }
    case 'withdrawn':
      return phase.name === 'waiting' ? { ...state, phase: IDLE } : state;
    case 'running':
      if (phase.name !== 'starting') return state;
      return { ...state, phase: executingFrom(phase.graph, event.now) };
    case 'ended':
      if (phase.name === 'idle' || phase.name === 'waiting') return state;
      return { ...state, last: phase.graph, phase: IDLE };
    case 'rescaleRefused':
      if (phase.name === 'restarting') return { ...state, phase: executingFrom(phase.graph, event.now) };
      if (phase.name !== 'rescaling' || phase.retryAt !== undefined) return state;
      return { ...state, phase: { ...phase, failures: phase.failures + 1, retryAt: event.now + RESCALE_RETRY_MS } };
    case 'requirementsChanged':
      return { ...state, requirements: event.requirements };
  }
}

function executingFrom(graph: JobGraph, since: number): AdaptivePhase {
  return { name: 'executing', graph, since, changedSince: undefined };
}

function progress(state: AdaptiveState, now: number, actions: AdaptiveAction[]): AdaptivePhase {
  const { phase } = state;
  switch (phase.name) {
    case 'waiting':
      return waiting(state, phase, now, actions);
    case 'executing':
      return executing(state, phase, now, actions);
    case 'rescaling':
      return rescaling(state, phase, now, actions);
    case 'idle':
    case 'starting':
    case 'restarting':
      return phase;
  }
}

// ---- before an attempt

function waiting(state: AdaptiveState, phase: Phase<'waiting'>, now: number, actions: AdaptiveAction[]): AdaptivePhase {
  const graph = graphForSlots(state.graph, state.requirements, state.slots);
  const isOver = now >= waitingEnd(state, phase);
  if (graph === undefined) {
    if (!isOver) return { ...phase, sufficientSince: undefined };
    actions.push({ type: 'giveUp', needed: slotDemand(state.graph, state.requirements).least });
    return IDLE;
  }
  const next = { ...phase, sufficientSince: phase.sufficientSince ?? now };
  if (!isOver && !isAsGoodAsBefore(state, phase, graph) && now < stableAt(state, next)) return next;
  actions.push({ type: 'start', graph });
  return { name: 'starting', graph };
}

function waitingEnd({ config }: AdaptiveState, { since }: Phase<'waiting'>): number {
  return config.waitTimeoutMs === undefined ? Number.POSITIVE_INFINITY : since + config.waitTimeoutMs;
}

/** Waiting longer would bring nothing back that an attempt before has had. */
function isAsGoodAsBefore({ last }: AdaptiveState, { reason }: Phase<'waiting'>, graph: JobGraph): boolean {
  return reason === 'rescaled' || (last !== undefined && subtaskCount(graph) >= subtaskCount(last));
}

function stableAt(state: AdaptiveState, { sufficientSince }: Phase<'waiting'>): number {
  if (sufficientSince === undefined) return Number.POSITIVE_INFINITY;
  return hasAll(state) ? sufficientSince : sufficientSince + state.config.submissionStabilizationMs;
}

function hasAll(state: AdaptiveState): boolean {
  return state.slots >= slotDemand(state.graph, state.requirements).most;
}

// ---- during an attempt

function executing(state: AdaptiveState, phase: Phase<'executing'>, now: number, actions: AdaptiveAction[]): AdaptivePhase {
  if (!isWorthwhile(state, phase.graph)) return { ...phase, changedSince: undefined };
  const next = { ...phase, changedSince: phase.changedSince ?? now };
  if (now < rescaleAt(state, next)) return next;
  actions.push({ type: 'rescale' });
  return { name: 'rescaling', graph: phase.graph, since: now, failures: 0, retryAt: undefined };
}

function isWorthwhile(state: AdaptiveState, running: JobGraph): boolean {
  if (!state.rescalable) return false;
  const target = graphForSlots(state.graph, state.requirements, state.slots);
  if (target === undefined) return false;
  if (!isWithinBounds(running, state.requirements)) return true;
  return subtaskCount(target) - subtaskCount(running) >= (hasAll(state) ? 1 : state.config.minParallelismIncrease);
}

function rescaleAt(state: AdaptiveState, { since, changedSince }: Phase<'executing'>): number {
  if (changedSince === undefined) return Number.POSITIVE_INFINITY;
  const { cooldownMs, executingStabilizationMs } = state.config;
  return Math.max(since + cooldownMs, hasAll(state) ? changedSince : changedSince + executingStabilizationMs);
}

function rescaling(state: AdaptiveState, phase: Phase<'rescaling'>, now: number, actions: AdaptiveAction[]): AdaptivePhase {
  if (phase.failures >= state.config.maxCheckpointFailures || now >= triggerEnd(state, phase)) {
    actions.push({ type: 'restart' });
    return { name: 'restarting', graph: phase.graph };
  }
  if (phase.retryAt === undefined || now < phase.retryAt) return phase;
  if (!isWorthwhile(state, phase.graph)) return executingFrom(phase.graph, now);
  actions.push({ type: 'rescale' });
  return { ...phase, retryAt: undefined };
}

function triggerEnd({ config }: AdaptiveState, { since }: Phase<'rescaling'>): number {
  return config.maxTriggerDelayMs === undefined ? Number.POSITIVE_INFINITY : since + config.maxTriggerDelayMs;
}

// ---- time

function nextWake(state: AdaptiveState): number | undefined {
  const time = wakeOf(state);
  return Number.isFinite(time) ? time : undefined;
}

function wakeOf(state: AdaptiveState): number {
  const { phase } = state;
  switch (phase.name) {
    case 'waiting':
      return Math.min(waitingEnd(state, phase), stableAt(state, phase));
    case 'executing':
      return rescaleAt(state, phase);
    case 'rescaling':
      return Math.min(triggerEnd(state, phase), phase.retryAt ?? Number.POSITIVE_INFINITY);
    case 'idle':
    case 'starting':
    case 'restarting':
      return Number.POSITIVE_INFINITY;
  }
}
