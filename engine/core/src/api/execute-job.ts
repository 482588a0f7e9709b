/** Execution of what an environment has collected: reports the program, then runs it where the mode says so. */
import { MillstreamError } from '../common/errors.js';
import type { JobProgram } from '../plan/plan.js';
import { reportProgram } from './evaluation.js';
import type { JobBuilder } from './job-builder.js';
import { defaultJobExecutor, type JobExecutionResult, type JobExecutor } from './job-executor.js';

/** Runs the job to its end. In a slot it never returns: the evaluation ends here. */
export function executeJob(job: JobBuilder, jobName: string | undefined): Promise<JobExecutionResult> {
  return submit(job, jobName, (executor, program) => executor.execute(program));
}

/** Runs a job with a 'collect' node and resolves with the collected records. */
export function collectJob(job: JobBuilder, jobName: string | undefined): Promise<unknown[]> {
  return submit(job, jobName, (executor, program) => executor.collect(program));
}

async function submit<R>(
  job: JobBuilder,
  jobName: string | undefined,
  run: (executor: JobExecutor, program: JobProgram) => Promise<R>,
): Promise<R> {
  if (job.executeRefusal !== undefined) throw new MillstreamError('ALREADY_EXECUTED', job.executeRefusal);
  const program = job.build(jobName);
  reportProgram(program);
  const { context } = job;
  if (context !== undefined && context.mode !== 'client') return await new Promise<never>(() => {});
  return await run(context?.executor ?? defaultJobExecutor(), program);
}
