/**
 * Evaluation of a program: under which parameters and options it builds its graph, and where the graph goes. A client evaluates a
 * program to run it, a slot evaluates it again to find its functions, `explain` evaluates it to print the plan.
 *
 *     runInEvaluation(context, load)
 *        program: getExecutionEnvironment() … execute() ──onProgram──▶ who evaluates
 *                                              └ client: runs the job; slot, plan-only: never returns
 *
 * Invariants: 1. one evaluation at a time in a process (it is found through the global object, so that two copies of the package agree);
 * 2. an evaluation reports one program at most.
 */
import { MillstreamError } from '../common/errors.js';
import type { JobProgram } from '../plan/plan.js';
import { createMoment, type EvaluationMoment, openSandbox } from './evaluation-sandbox.js';
import type { JobExecutor } from './job-executor.js';

/** What `execute` does: runs the job, or reports the program and never returns. */
export type EvaluationMode = 'client' | 'slot' | 'plan-only';

/** The surroundings of an evaluation. */
export interface EvaluationContext {
  readonly mode: EvaluationMode;
  /** The program's parameters; part of the plan. */
  readonly parameters: Readonly<Record<string, string>>;
  /** What the program sees as now and as chance while it builds its graph. Default: now, and a seed of its own. */
  readonly moment?: EvaluationMoment;
  /** Options that hold where the program does not set them, by key: those of the cluster. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Options that override what the program sets, by key. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Runs the job in mode 'client'; undefined: the default executor. */
  readonly executor?: JobExecutor;
  /** Receives the program before it is executed. */
  readonly onProgram?: (program: JobProgram) => void;
}

interface Evaluation {
  readonly context: EvaluationContext;
  /** Makes clock and chance real again. */
  readonly leave: () => void;
  reported: boolean;
}

const CURRENT: unique symbol = Symbol.for('millstream.evaluation') as never;
const EVALUATED: unique symbol = Symbol.for('millstream.evaluated') as never;
const registry = globalThis as { [CURRENT]?: Evaluation | undefined; [EVALUATED]?: true };

/** The context of the running evaluation, if there is one. */
export function currentEvaluation(): EvaluationContext | undefined {
  return registry[CURRENT]?.context;
}

/** Whether this process evaluates programs, or has done so: then no program in it runs by itself. */
export function hasEvaluated(): boolean {
  return registry[EVALUATED] === true;
}

/** Notes that the running evaluation has its program; throws ALREADY_EXECUTED if it had one. */
export function reportProgram(program: JobProgram): void {
  const evaluation = registry[CURRENT];
  if (evaluation === undefined) return;
  if (evaluation.reported) {
    throw new MillstreamError(
      'ALREADY_EXECUTED',
      `Cannot execute job "${program.plan.jobName}": this program has executed a job already, and a slot finds its functions by evaluating the program up to its first execute. Put each job into a program of its own, or both into one graph.`,
    );
  }
  evaluation.reported = true;
  evaluation.leave();
  evaluation.context.onProgram?.(program);
}

/** Runs `evaluate` with `context` as the current evaluation, until its result has settled. */
export async function runInEvaluation<T>(context: EvaluationContext, evaluate: () => T | Promise<T>): Promise<T> {
  if (registry[CURRENT] !== undefined) {
    throw new MillstreamError('INTERNAL', 'Cannot evaluate a program while another is evaluated in this process.');
  }
  const moment = context.moment ?? createMoment();
  const sandbox = openSandbox(moment, context.mode === 'slot');
  const evaluation: Evaluation = { context: { ...context, moment }, leave: () => sandbox.leave(), reported: false };
  registry[CURRENT] = evaluation;
  registry[EVALUATED] = true;
  try {
    return await sandbox.run(evaluate);
  } finally {
    sandbox.leave();
    if (registry[CURRENT] === evaluation) registry[CURRENT] = undefined;
  }
}

/**
 * The program that `evaluate` reports, in a mode where `execute` never returns. Undefined if it has ended without `execute`; its result
 * is then in `ended`.
 */
export async function evaluateUntilProgram<T>(
  context: Omit<EvaluationContext, 'onProgram'>,
  evaluate: () => T | Promise<T>,
): Promise<{ readonly program: JobProgram } | { readonly program: undefined; readonly ended: T }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly program: JobProgram }>();
  const onProgram = (program: JobProgram): void => {
    // The evaluation ends here: what waits for `execute` waits for ever.
    registry[CURRENT] = undefined;
    resolve({ program });
  };
  const evaluated = runInEvaluation({ ...context, onProgram }, evaluate);
  return await Promise.race([promise, evaluated.then((ended) => ({ program: undefined, ended }))]);
}
