/**
 * What a program sees of its surroundings while it builds its graph: the same clock and the same random numbers wherever it is
 * evaluated, and in a slot neither file writes nor child processes nor network, which would happen once per slot and attempt.
 *
 *     enterSandbox ─▶ program builds its graph ─▶ leave: everything is real again
 *
 * Invariants: 1. outside of every sandbox nothing is replaced, and what a program captured inside of one behaves as the original;
 * 2. sandboxes may overlap: the youngest counts.
 */
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

interface Sandbox {
  readonly now: number;
  readonly random: Random;
  readonly refusing: boolean;
}

const active: Sandbox[] = [];
let restore: () => void = () => undefined;

/** Replaces clock and chance until the returned function is called; `refusing`: side effects fail with PROGRAM_SIDE_EFFECT. */
export function enterSandbox(moment: EvaluationMoment, refusing: boolean): () => void {
  const sandbox: Sandbox = { now: moment.now, random: seededRandom(moment.seed), refusing };
  if (active.length === 0) {
    const steps = [installClock(), installRandom()];
    if (refusing) steps.push(installRefusals(() => active.some((each) => each.refusing)));
    restore = () => {
      for (const step of steps) step();
    };
  }
  active.push(sandbox);
  return () => {
    const at = active.indexOf(sandbox);
    if (at < 0) return;
    active.splice(at, 1);
    if (active.length === 0) restore();
  };
}

function installClock(): () => void {
  const original = globalThis.Date;
  const now = original.now;
  original.now = () => active.at(-1)?.now ?? now();
  globalThis.Date = new Proxy(original, {
    construct: (target, parameters: unknown[], newTarget) => {
      const sandbox = active.at(-1);
      const actual = parameters.length === 0 && sandbox !== undefined ? [sandbox.now] : parameters;
      return Reflect.construct(target, actual, newTarget === globalThis.Date ? target : newTarget) as object;
    },
    apply: (target) => new target(active.at(-1)?.now ?? now()).toString(),
  });
  return () => {
    original.now = now;
    globalThis.Date = original;
  };
}

function installRandom(): () => void {
  const original = Math.random;
  Math.random = () => active.at(-1)?.random.unit() ?? original();
  return () => {
    Math.random = original;
  };
}
