/**
 * What a program sees of its surroundings while it builds its graph: the same clock and the same random numbers wherever it is
 * evaluated, and in a slot neither file writes nor child processes nor network, which would happen once per slot and attempt.
 *
 *     openSandbox ─▶ run(program builds its graph) ─▶ leave: everything is real again
 *
 * Invariants: 1. what does not come from within `run` sees nothing of a sandbox: other jobs of the process go on meanwhile; 2. outside of
 * every sandbox nothing is replaced, and what a program captured inside of one behaves as the original; 3. of nested ones the inner counts.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { systemClock } from '../common/clock.js';
import { entropySeed, type Random, seededRandom } from '../common/random.js';
import { installRefusals } from './side-effects.js';

/** The moment of a submission: what a program sees as now, and where its random numbers start. */
export interface EvaluationMoment {
  /** Ms since 1970. */
  readonly now: number;
  readonly seed: number;
}

/** The moment of a job that is submitted now. */
export function createMoment(): EvaluationMoment {
  return { now: systemClock.now(), seed: entropySeed() };
}

interface Surroundings {
  readonly now: number;
  readonly random: Random;
  readonly refusing: boolean;
  isOpen: boolean;
}

/** Surroundings of one evaluation. */
export interface Sandbox {
  /** Evaluates inside, with all that it begins. */
  run<T>(evaluate: () => T): T;
  /** Makes everything real again, also for what still runs inside. */
  leave(): void;
}

const storage = new AsyncLocalStorage<Surroundings>();
let openCount = 0;
let restore: () => void = () => undefined;

function current(): Surroundings | undefined {
  const surroundings = storage.getStore();
  return surroundings?.isOpen === true ? surroundings : undefined;
}

/** Replaces clock and chance for what runs inside; `refusing`: side effects fail with PROGRAM_SIDE_EFFECT. */
export function openSandbox(moment: EvaluationMoment, refusing: boolean): Sandbox {
  const surroundings: Surroundings = { now: moment.now, random: seededRandom(moment.seed), refusing, isOpen: true };
  if (openCount === 0) {
    const steps = [installClock(), installRandom(), installRefusals(() => current()?.refusing === true)];
    restore = () => {
      for (const step of steps) step();
    };
  }
  openCount++;
  return {
    run: (evaluate) => storage.run(surroundings, evaluate),
    leave: () => {
      if (!surroundings.isOpen) return;
      surroundings.isOpen = false;
      openCount--;
      if (openCount === 0) restore();
    },
  };
}

function installClock(): () => void {
  const original = globalThis.Date;
  const now = original.now;
  original.now = () => current()?.now ?? now();
  globalThis.Date = new Proxy(original, {
    construct: (target, parameters: unknown[], newTarget) => {
      const sandbox = current();
      const actual = parameters.length === 0 && sandbox !== undefined ? [sandbox.now] : parameters;
      return Reflect.construct(target, actual, newTarget === globalThis.Date ? target : newTarget) as object;
    },
    apply: (target) => new target(current()?.now ?? now()).toString(),
  });
  return () => {
    original.now = now;
    globalThis.Date = original;
  };
}

function installRandom(): () => void {
  const original = Math.random;
  Math.random = () => current()?.random.unit() ?? original();
  return () => {
    Math.random = original;
  };
}
