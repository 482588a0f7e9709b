/** How an environment's job is run: injected, since the API knows nothing of slots. */
import { invariant } from '../common/errors.js';
import type { JobProgram } from '../plan/plan.js';

/** What is known of a job that has ended. */
export interface JobExecutionResult {
  readonly jobName: string;
  /** The run's id. */
  readonly run: string;
  /** From submission to the end, ms. */
  readonly durationMs: number;
}

/** Runs programs. Rejects with the job's error if it fails. */
export interface JobExecutor {
  execute(program: JobProgram): Promise<JobExecutionResult>;
  /** Runs a program with a node of kind 'collect', and resolves with what arrived there, at most `config.limit` records of it. */
  collect(program: JobProgram): Promise<unknown[]>;
}

let executor: JobExecutor | undefined;

/** Sets who runs jobs where the evaluation context names no executor. */
export function setJobExecutor(next: JobExecutor): void {
  executor = next;
}

/** The executor that was set. */
export function defaultJobExecutor(): JobExecutor {
  invariant(executor !== undefined, 'Cannot execute a job: no executor was set');
  return executor;
}
