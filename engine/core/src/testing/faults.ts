/**
 * Faults between any two steps of whatever works through an interface of asynchronous operations (Disk, ObjectStore): a process that
 * dies, an answer that is lost, an operation that fails. For tests and simulation; works on real ones too.
 */

/** What happens at a step. */
export type StepFault =
  /** The process dies before it: nothing of it or after it happens. */
  | 'killBefore'
  /** It happens; then the process dies. */
  | 'killAfter'
  /** It does not happen, and fails. */
  | 'fail'
  /** It happens, and its answer is lost: it seems to fail. */
  | 'loseAnswer';

/** Says what happens at a step; steps count from 0. */
export type FaultPlan = (step: number, operation: string) => StepFault | undefined;

/** The error of a step that a fault made fail: to a disk's user an I/O error, to an object store's user one that may be tried again. */
export class InjectedFault extends Error {
  readonly code = 'EIO';
  readonly retryable = true;
}

/** The same object, with faults. Handles that its operations return (open files) have them too. */
export function withFaults<T extends object>(target: T, plan: FaultPlan): T {
  return faulty(target, { plan, step: 0, isDead: false });
}

interface FaultState {
  readonly plan: FaultPlan;
  step: number;
  isDead: boolean;
}

function faulty<T extends object>(target: T, state: FaultState): T {
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name, object);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      return (...args: readonly unknown[]) => perform(state, name, async () => await (member.apply(object, args) as Promise<unknown>));
    },
  });
}

async function perform(state: FaultState, operation: string, action: () => Promise<unknown>): Promise<unknown> {
  const dead = new InjectedFault(`${operation}: the process is dead`);
  if (state.isDead) throw dead;
  const fault = state.plan(state.step++, operation);
  if (fault === 'fail') throw new InjectedFault(`${operation}: failed`);
  if (fault === 'killBefore') state.isDead = true;
  if (state.isDead) throw dead;
  if (fault === 'killAfter') state.isDead = true;
  const result = await action();
  if (fault === 'killAfter') throw dead;
  if (fault === 'loseAnswer') throw new InjectedFault(`${operation}: the answer was lost`);
  return isHandle(result) ? faulty(result, state) : result;
}

/** An open file, which has operations of its own. */
function isHandle(value: unknown): value is object {
  return typeof value === 'object' && value !== null && typeof (value as { readonly close?: unknown }).close === 'function';
}
