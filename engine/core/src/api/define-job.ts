/**
 * The recommended form of a program: a function that builds the job, exported; Millstream evaluates it wherever it is needed.
 *
 *     export default defineJob((env, params) => { … }, { name: 'flights' });
 */
import { MillstreamError } from '../common/errors.js';
import type { JobProgram } from '../plan/plan.js';
import { type EvaluationContext, evaluateUntilProgram } from './evaluation.js';
import { createMoment, openSandbox } from './evaluation-sandbox.js';
import { JobBuilder } from './job-builder.js';
import { runIfMain } from './main-program.js';
import { StreamExecutionEnvironment } from './stream-execution-environment.js';
import { streams } from './streams.js';

const BRAND: symbol = Symbol.for('millstream.job');

/** Builds a job's graph. May be async (to read a schema, say), but must build the same graph each time for the same parameters. */
export type JobFunction = (env: StreamExecutionEnvironment, params: Readonly<Record<string, string>>) => void | Promise<void>;

/** Settings of `defineJob`. */
export interface JobDefinitionOptions {
  /** The job's name; default: option pipeline.name. */
  readonly name?: string;
}

/** A job as `defineJob` makes it. */
export interface JobDefinition {
  readonly name: string | undefined;
  readonly define: JobFunction;
}

/**
 * Defines a job. A program whose default export is the job is run by `millstream run program.ts`, or by plain `node program.js`.
 * `params` are the program's parameters, frozen in the plan.
 * @example
 * export default defineJob((env, params) => {
 *   env.fromElements(1, 2, 3).map((n) => n * Number(params.factor ?? 2)).print();
 * }, { name: 'multiply' });
 */
export function defineJob(define: JobFunction, options: JobDefinitionOptions = {}): JobDefinition {
  const job = Object.freeze(Object.defineProperty({ name: options.name, define }, BRAND, { value: true }));
  runIfMain(job, async (parameters) => await buildDefinedJob(job, { mode: 'client', parameters, options: {} }));
  return job;
}

/** Whether a module's default export is a defined job, of whatever copy of the package. */
export function isJobDefinition(value: unknown): value is JobDefinition {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
}

/** Evaluates a defined job. */
export async function buildDefinedJob(definition: JobDefinition, context: Omit<EvaluationContext, 'onProgram'>): Promise<JobProgram> {
  const moment = context.moment ?? createMoment();
  const job = new JobBuilder(streams, { ...context, moment });
  job.executeRefusal = `Cannot call execute inside defineJob: Millstream executes what the function has built. Remove the call; use print or sinkTo in place of executeAndCollect.`;
  const sandbox = openSandbox(moment, context.mode === 'slot');
  try {
    await sandbox.run(() => definition.define(new StreamExecutionEnvironment(job), Object.freeze({ ...context.parameters })));
  } finally {
    sandbox.leave();
  }
  job.executeRefusal = undefined;
  return job.build(definition.name);
}

/**
 * The program of a module, in both forms: its default export is a defined job, or it executes an environment. `load` imports it.
 * Throws INVALID_PLAN if it does neither.
 */
export async function evaluateModule(
  settings: Omit<EvaluationContext, 'onProgram'>,
  load: () => Promise<{ readonly default?: unknown }>,
): Promise<JobProgram> {
  const context = { ...settings, moment: settings.moment ?? createMoment() };
  const evaluated = await evaluateUntilProgram(context, load);
  if (evaluated.program !== undefined) return evaluated.program;
  if (isJobDefinition(evaluated.ended.default)) return await buildDefinedJob(evaluated.ended.default, context);
  throw noJobError();
}

/** INVALID_PLAN: a program without a job. */
export function noJobError(): MillstreamError {
  return new MillstreamError(
    'INVALID_PLAN',
    'Cannot run this program: it has neither executed a job nor exported one. Export the job as default (export default defineJob(…)), or call env.execute().',
  );
}
