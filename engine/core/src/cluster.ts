/** `millstream/cluster`: running jobs from programs: the embedded driver, its observer, and the evaluation of programs. */
import './default-executor.js';

export { buildDefinedJob, evaluateModule, isJobDefinition, noJobError } from './api/define-job.js';
export { type EvaluationContext, type EvaluationMode, runInEvaluation } from './api/evaluation.js';
export { createMoment, type EvaluationMoment } from './api/evaluation-sandbox.js';
export type { JobExecutionResult, JobExecutor } from './api/job-executor.js';
export { parseProgramArguments } from './api/program-arguments.js';
export type { CompletedCheckpointReport } from './cluster/attempt-options.js';
export { JobRun, type JobRunOptions, type RunObserver, type RunOutcome } from './cluster/job-run.js';
export { DEFAULT_CHECKPOINT_DIRECTORY, type RunOptions } from './cluster/job-settings.js';
export { LocalExecutor, type LocalExecutorOptions, SILENT_OBSERVER } from './cluster/local-executor.js';
export { SIGNAL_EXIT_CODES, type StopSignal, type StopSignals, stopOnSignals } from './cluster/stop-signals.js';
export { describeError, type ErrorDescription } from './common/error-description.js';
export { parseOptions } from './config/resolve-options.js';
export { buildJobGraph } from './plan/build-job-graph.js';
export { explainJobGraph, explainPlan } from './plan/explain.js';
export type { JobEdge, JobGraph, JobVertex } from './plan/job-graph.js';
export type { JobProgram, Plan, PlanNode } from './plan/plan.js';
export type { TaskMetrics } from './runtime/slot-messages.js';
