/**
 * The checkpoint coordinator's decisions for one attempt: pure. The performer around it (which has clock, network, disk) turns what it
 * hears into events and carries the actions out in order.
 *
 *             trigger             all acknowledged         written               committed
 *     (none) ────────▶ acknowledging ────────▶ writing ────────▶ committing ────────▶ complete: notify, discard the oldest
 *                         │ declined, timeout     │ failed, timeout   │ failed: outcome unknown
 *                         ▼                       ▼                   ▼
 *                      aborted: discard        aborted            the job fails; recovery reads the record; nothing is discarded
 *
 * Invariants:
 *  1. At most one checkpoint is in progress.
 *  2. Triggered epochs grow, are of the attempt's blocks, and never the last number of a block.
 *  3. Per epoch in this order: trigger, all acknowledged, writeMetadata, commitRecord, recordCommitted, notifyComplete.
 *  4. An epoch is completed or aborted, never both, and aborted only before commitRecord; only what is not and cannot become part of the
 *     job record is discarded.
 *  5. Every trigger carries the newest complete epoch of kind 'checkpoint'.
 *  6. After failJob, a completed stop, the final checkpoint or tasksStopped nothing is triggered.
 *  7. Periodic ones keep interval and minimum pause; requested ones and the final one do not wait.
 *  8. Each request is answered or refused exactly once.
 *  9. After a drain was triggered the job ends, with its savepoint or with failJob.
 * 10. While subtasks are down nothing is triggered, and nobody may end the job with a checkpoint; one that is not being committed when they
 *     fail is given up, and not counted.
 */
import type {
  CheckpointRequest,
  CoordinatorAction,
  CoordinatorEvent,
  CoordinatorState,
  Decision,
  PendingCheckpoint,
} from './coordinator-state.js';
import { subtaskKey } from './coordinator-state.js';
import type { CheckpointKind } from './metadata.js';

/** Epochs remembered as given up; what arrives even later is found by the clean-up at the next start. */
const ABORTED_REMEMBERED = 16;
const RESTARTING = 'some regions of the job are restarting';
/** Pause before the final checkpoint is tried again. */
const FINAL_RETRY_MS = 1000;

/** The coordinator's answer to an event. */
export function decide(before: CoordinatorState, event: CoordinatorEvent): Decision {
  const actions: CoordinatorAction[] = [];
  const handled = triggerIfDue(handle(before, event, actions), event.now, actions);
  const wakeAt = nextWake(handled, event.now);
  if (wakeAt === handled.wakeAt) return { state: handled, actions };
  actions.push({ type: 'scheduleAt', time: wakeAt });
  return { state: { ...handled, wakeAt }, actions };
}

function handle(state: CoordinatorState, event: CoordinatorEvent, actions: CoordinatorAction[]): CoordinatorState {
  const { pending } = state;
  switch (event.type) {
    case 'tasksRunning':
      if (state.status !== 'starting') return state;
      return { ...state, status: 'running', subtasks: event.subtasks, lastPeriodicAt: event.now };
    case 'tasksStopped':
      return end(state, event.now, event.reason, actions);
    case 'subtaskFinished':
      return { ...state, finished: new Set(state.finished).add(subtaskKey(event.subtask)) };
    case 'regionsStopped':
      return state.status === 'running' ? stopRegions(state, event, actions) : state;
    case 'regionsRunning': {
      const back = new Set(event.subtasks.map(subtaskKey));
      return { ...state, down: new Set([...state.down].filter((key) => !back.has(key))) };
    }
    case 'timer':
      return checkTimeout({ ...state, wakeAt: undefined }, event.now, actions);
    case 'triggerRequested':
      return request(state, event.request, actions);
    case 'acknowledged':
      return acknowledge(state, event, actions);
    case 'declined':
      if (pending?.epoch !== event.epoch || pending.phase !== 'acknowledging') return state;
      return abort(state, pending, event.now, event.reason, actions);
    case 'metadataWritten':
      return metadataWritten(state, event.epoch, actions);
    case 'recordCommitted':
      if (pending?.epoch !== event.epoch || pending.phase !== 'committing') return state;
      if (event.dropped.length > 0) actions.push({ type: 'discardCheckpoints', checkpoints: event.dropped });
      return complete(state, pending, event.now, actions);
    case 'storeFailed':
      return storeFailed(state, event, actions);
    case 'epochsReserved':
      if (event.block.first <= state.block.last) return state;
      return { ...state, reserving: false, block: event.block, nextEpoch: event.block.first };
    case 'reserveFailed':
      return failJob({ ...state, reserving: false }, event.now, `no epoch numbers could be reserved: ${event.reason}`, actions);
  }
}

/**
 * A checkpoint that is being committed goes on: the regions restart from it, or from the one before if it fails. Any other is given up, also
 * one that all have acknowledged: regions could restart from the one before, and it complete after that.
 */
function stopRegions(
  state: CoordinatorState,
  event: CoordinatorEvent & { type: 'regionsStopped' },
  actions: CoordinatorAction[],
): CoordinatorState {
  const { pending } = state;
  const keys = event.subtasks.map(subtaskKey);
  const finished = new Set(state.finished);
  for (const key of keys) finished.delete(key);
  const isGivenUp = pending !== undefined && pending.phase !== 'committing';
  const after = isGivenUp ? giveUp(state, pending, event.now, event.reason, actions) : state;
  // Whoever wants the end of the job does not wait for the restart.
  const ends = after.requests.filter(({ stop }) => stop !== undefined);
  for (const request of ends) actions.push({ type: 'refuse', request, reason: RESTARTING });
  return {
    ...after,
    finished,
    requests: after.requests.filter((request) => !ends.includes(request)),
    down: new Set([...after.down, ...keys]),
  };
}

/** Whether regions may restart while the others go on: neither is the job being ended, nor its last checkpoint being committed. */
export function canStopRegions({ status, pending }: CoordinatorState): boolean {
  if (status !== 'running') return false;
  return pending === undefined || (pending.request?.stop === undefined && !(pending.final && pending.phase === 'committing'));
}

function request(state: CoordinatorState, asked: CheckpointRequest, actions: CoordinatorAction[]): CoordinatorState {
  const reason = state.status === 'ended' ? 'the job is not running any more' : RESTARTING;
  const isRefused = state.status === 'ended' || (state.down.size > 0 && asked.stop !== undefined);
  if (!isRefused) return { ...state, requests: [...state.requests, asked] };
  actions.push({ type: 'refuse', request: asked, reason });
  return state;
}

function acknowledge(
  state: CoordinatorState,
  event: CoordinatorEvent & { type: 'acknowledged' },
  actions: CoordinatorAction[],
): CoordinatorState {
  const { pending } = state;
  if (pending?.epoch !== event.epoch) {
    // An epoch that is not remembered may be complete, and its files in use.
    if (state.aborted.includes(event.epoch)) actions.push({ type: 'discardSnapshot', epoch: event.epoch, subtask: event.subtask });
    return state;
  }
  const waiting = new Set(pending.waiting);
  if (pending.phase !== 'acknowledging' || !waiting.delete(subtaskKey(event.subtask))) return state;
  if (waiting.size > 0) return { ...state, pending: { ...pending, waiting } };
  actions.push({ type: 'writeMetadata', epoch: pending.epoch });
  return { ...state, pending: { ...pending, waiting, phase: 'writing' } };
}

function metadataWritten(state: CoordinatorState, epoch: number, actions: CoordinatorAction[]): CoordinatorState {
  const { pending } = state;
  if (pending?.epoch === epoch && pending.phase === 'writing') {
    actions.push({ type: 'commitRecord', epoch });
    return { ...state, pending: { ...pending, phase: 'committing' } };
  }
  if (state.aborted.includes(epoch)) actions.push({ type: 'discardEpoch', epoch });
  return state;
}

function complete(state: CoordinatorState, pending: PendingCheckpoint, now: number, actions: CoordinatorAction[]): CoordinatorState {
  const { epoch, kind, request, final } = pending;
  const stop = request?.stop;
  if (state.status === 'running') actions.push({ type: 'notifyComplete', epoch, kind, stop, final });
  if (request !== undefined) actions.push({ type: 'answer', request, epoch });
  const after: CoordinatorState = {
    ...state,
    pending: undefined,
    lastCompleted: kind === 'checkpoint' ? epoch : state.lastCompleted,
    lastEndedAt: now,
    failuresInARow: 0,
  };
  return stop !== undefined || final ? end(after, now, 'the job has ended', actions) : after;
}

/**
 * Gives the pending checkpoint up and counts it, unless somebody asked for it. Never called once it is committing. Sources that were ended
 * for it cannot read on: the job goes back to its latest checkpoint.
 */
function abort(
  state: CoordinatorState,
  pending: PendingCheckpoint,
  now: number,
  reason: string,
  actions: CoordinatorAction[],
): CoordinatorState {
  const after = giveUp(state, pending, now, reason, actions);
  if (pending.request?.stop === 'drain')
    return failJob(after, now, `its sources had ended for savepoint ${pending.epoch}, which failed: ${reason}`, actions);
  if (pending.request !== undefined) return after;
  const failuresInARow = state.failuresInARow + 1;
  const counted = { ...after, failuresInARow };
  if (failuresInARow <= state.config.tolerableFailures) return counted;
  const tolerated = `tolerable-failed-checkpoints is ${state.config.tolerableFailures}`;
  return failJob(counted, now, `checkpoint ${pending.epoch} failed (${tolerated}): ${reason}`, actions);
}

function giveUp(
  state: CoordinatorState,
  pending: PendingCheckpoint,
  now: number,
  reason: string,
  actions: CoordinatorAction[],
): CoordinatorState {
  const { epoch, request } = pending;
  actions.push({ type: 'abort', epoch, reason }, { type: 'discardEpoch', epoch });
  if (request !== undefined) actions.push({ type: 'refuse', request, reason });
  return { ...state, pending: undefined, lastEndedAt: now, aborted: [...state.aborted, epoch].slice(-ABORTED_REMEMBERED) };
}

function storeFailed(
  state: CoordinatorState,
  event: CoordinatorEvent & { type: 'storeFailed' },
  actions: CoordinatorAction[],
): CoordinatorState {
  const { pending } = state;
  if (pending?.epoch !== event.epoch || pending.phase === 'acknowledging') return state;
  if (pending.phase === 'writing') return abort(state, pending, event.now, event.reason, actions);
  // The record may or may not list it now: nothing is taken back, the next attempt reads the record.
  if (pending.request !== undefined) actions.push({ type: 'refuse', request: pending.request, reason: event.reason });
  const reason = `checkpoint ${event.epoch} could not be committed to the job record: ${event.reason}`;
  return failJob({ ...state, pending: undefined, lastEndedAt: event.now }, event.now, reason, actions);
}

function failJob(state: CoordinatorState, now: number, reason: string, actions: CoordinatorAction[]): CoordinatorState {
  if (state.status !== 'ended') actions.push({ type: 'failJob', reason });
  return end(state, now, reason, actions);
}

/** Nothing is triggered from here on. A checkpoint that is committing stays: it may complete yet. */
function end(state: CoordinatorState, now: number, reason: string, actions: CoordinatorAction[]): CoordinatorState {
  const { pending } = state;
  const after = pending !== undefined && pending.phase !== 'committing' ? giveUp(state, pending, now, reason, actions) : state;
  for (const request of after.requests) actions.push({ type: 'refuse', request, reason });
  return { ...after, status: 'ended', requests: [] };
}

function deadline(state: CoordinatorState, pending: PendingCheckpoint): number {
  return pending.phase === 'committing' ? Number.POSITIVE_INFINITY : pending.triggeredAt + state.config.timeoutMs;
}

function checkTimeout(state: CoordinatorState, now: number, actions: CoordinatorAction[]): CoordinatorState {
  const { pending } = state;
  if (pending === undefined || now < deadline(state, pending)) return state;
  const missing = [...pending.waiting].slice(0, 3).map((key) => key.replace(/^(\d+) (.*)$/s, "subtask $1 of '$2'"));
  const waitsFor = missing.length === 0 ? 'writing its metadata' : `${missing.join(', ')}${pending.waiting.size > 3 ? ' …' : ''}`;
  return abort(state, pending, now, `it timed out after ${state.config.timeoutMs} ms, waiting for ${waitsFor}`, actions);
}

/** What to trigger next, and when at the earliest. */
interface Due {
  readonly at: number;
  readonly kind: CheckpointKind;
  readonly request: CheckpointRequest | undefined;
  readonly periodic: boolean;
}

function allFinished(state: CoordinatorState): boolean {
  return state.subtasks.every((subtask) => state.finished.has(subtaskKey(subtask)));
}

function nextDue(state: CoordinatorState): Due | undefined {
  if (state.status !== 'running' || state.pending !== undefined || state.reserving || state.down.size > 0) return undefined;
  const [request] = state.requests;
  if (request !== undefined) return { at: Number.NEGATIVE_INFINITY, kind: request.kind, request, periodic: false };
  const { intervalMs, minPauseMs } = state.config;
  const unrequested = { kind: 'checkpoint' as const, request: undefined };
  if (allFinished(state)) {
    const at = state.failuresInARow > 0 ? state.lastEndedAt + Math.max(minPauseMs, FINAL_RETRY_MS) : Number.NEGATIVE_INFINITY;
    return { ...unrequested, at, periodic: false };
  }
  if (intervalMs === undefined) return undefined;
  return { ...unrequested, at: Math.max(state.lastPeriodicAt + intervalMs, state.lastEndedAt + minPauseMs), periodic: true };
}

function triggerIfDue(state: CoordinatorState, now: number, actions: CoordinatorAction[]): CoordinatorState {
  const due = nextDue(state);
  if (due === undefined || due.at > now) return state;
  if (state.nextEpoch >= state.block.last) {
    actions.push({ type: 'reserveEpochs' });
    return { ...state, reserving: true };
  }
  const epoch = state.nextEpoch;
  const { kind, request } = due;
  const { lastCompleted, subtasks } = state;
  actions.push({ type: 'trigger', epoch, kind, lastCompleted, request, subtasks });
  const waiting = new Set(subtasks.map(subtaskKey));
  return {
    ...state,
    nextEpoch: epoch + 1,
    requests: request === undefined ? state.requests : state.requests.slice(1),
    lastPeriodicAt: due.periodic ? now : state.lastPeriodicAt,
    pending: { epoch, kind, phase: 'acknowledging', request, final: allFinished(state), triggeredAt: now, waiting },
  };
}

function nextWake(state: CoordinatorState, now: number): number | undefined {
  const time = state.pending === undefined ? nextDue(state)?.at : deadline(state, state.pending);
  return time === undefined || !Number.isFinite(time) ? undefined : Math.max(time, now);
}
