/** What REST says of jobs, vertices and subtasks, in Flink's field names. What Millstream cannot know is absent. */

/** Flink's JobStatus. */
export const JOB_STATES = [
  'INITIALIZING',
  'CREATED',
  'RUNNING',
  'FAILING',
  'FAILED',
  'CANCELLING',
  'CANCELED',
  'FINISHED',
  'RESTARTING',
  'SUSPENDED',
  'RECONCILING',
] as const;

/** The state of a job. */
export type JobState = (typeof JOB_STATES)[number];

/** States that a job does not leave. */
export const ENDED_JOB_STATES: ReadonlySet<JobState> = new Set<JobState>(['FAILED', 'CANCELED', 'FINISHED']);

/** Flink's ExecutionState of a subtask. */
export const EXECUTION_STATES = [
  'CREATED',
  'SCHEDULED',
  'DEPLOYING',
  'INITIALIZING',
  'RUNNING',
  'FINISHED',
  'CANCELING',
  'CANCELED',
  'FAILED',
  'RECONCILING',
] as const;

/** The state of a subtask. */
export type ExecutionState = (typeof EXECUTION_STATES)[number];

/** Subtasks by state; `GET /jobs/overview` has `total` too. */
export type StateCounts = Readonly<Record<string, number>>;

/** One of `GET /jobs`. */
export interface JobIdWithStatus {
  readonly id: string;
  readonly status: JobState;
}

/** One of `GET /jobs/overview`. Times are ms since 1970; `end-time` is -1 while the job lives. */
export interface JobOverview {
  readonly jid: string;
  readonly name: string;
  readonly state: JobState;
  readonly 'start-time': number;
  readonly 'end-time': number;
  readonly duration: number;
  readonly 'last-modification': number;
  readonly tasks: StateCounts;
}

/** What subtasks read and how their time was spent. `…-complete`: all subtasks have reported. */
export interface IoMetrics {
  readonly 'read-records': number;
  readonly 'read-records-complete': boolean;
  readonly 'accumulated-backpressured-time': number;
  readonly 'accumulated-idle-time': number;
  readonly 'accumulated-busy-time': number;
}

/** A vertex in `GET /jobs/:jobid`. Times are -1 where nothing has started or ended yet. */
export interface JobVertexOverview {
  readonly id: string;
  readonly name: string;
  readonly slotSharingGroupId: string;
  readonly maxParallelism: number;
  readonly parallelism: number;
  readonly status: ExecutionState;
  readonly 'start-time': number;
  readonly 'end-time': number;
  readonly duration: number;
  readonly tasks: StateCounts;
  readonly metrics: IoMetrics;
}

/** An edge into a vertex. Ship strategies are HASH, FORWARD … */
export interface PlanNodeInput {
  readonly num: number;
  /** The producing vertex. */
  readonly id: string;
  readonly ship_strategy: string;
  readonly exchange: string;
}

/** A vertex in a plan. */
export interface PlanNodeInfo {
  readonly id: string;
  readonly parallelism: number;
  readonly operator: string;
  readonly description: string;
  readonly inputs?: readonly PlanNodeInput[];
}

/** The job graph as dashboards draw it. */
export interface JobPlan {
  readonly jid: string;
  readonly name: string;
  readonly type: 'STREAMING';
  readonly nodes: readonly PlanNodeInfo[];
}

/** `GET /jobs/:jobid`. */
export interface JobDetails {
  readonly jid: string;
  readonly name: string;
  readonly isStoppable: boolean;
  readonly state: JobState;
  readonly 'start-time': number;
  readonly 'end-time': number;
  readonly duration: number;
  readonly maxParallelism: number;
  readonly now: number;
  /** When each state was entered last, 0 where never. */
  readonly timestamps: Readonly<Record<string, number>>;
  readonly vertices: readonly JobVertexOverview[];
  readonly 'status-counts': StateCounts;
  readonly plan: JobPlan;
}

/** `GET /jobs/:jobid/config`. */
export interface JobConfig {
  readonly jid: string;
  readonly name: string;
  readonly 'execution-config': {
    readonly 'restart-strategy': string;
    readonly 'job-parallelism': number;
    readonly 'user-config': Readonly<Record<string, string>>;
  };
}

/** One attempt of a subtask. */
export interface SubtaskDetails {
  readonly subtask: number;
  readonly status: ExecutionState;
  readonly attempt: number;
  /** Absent until it is placed. */
  readonly endpoint?: string;
  readonly 'taskmanager-id'?: string;
  readonly 'start-time': number;
  readonly 'end-time': number;
  readonly duration: number;
  readonly metrics: IoMetrics;
}

/** `GET /jobs/:jobid/vertices/:vertexid`. */
export interface JobVertexDetails {
  readonly id: string;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly now: number;
  readonly subtasks: readonly SubtaskDetails[];
}

/** `GET /jobs/:jobid/vertices/:vertexid/subtasktimes`. */
export interface SubtasksTimes {
  readonly id: string;
  readonly name: string;
  readonly now: number;
  readonly subtasks: readonly {
    readonly subtask: number;
    readonly endpoint?: string;
    readonly duration: number;
    readonly timestamps: Readonly<Record<string, number>>;
  }[];
}

/** `GET /jobs/:jobid/vertices/:vertexid/taskmanagers`. */
export interface VertexTaskManagers {
  readonly id: string;
  readonly name: string;
  readonly now: number;
  readonly taskmanagers: readonly {
    readonly endpoint: string;
    readonly 'taskmanager-id': string;
    readonly status: ExecutionState;
    readonly 'start-time': number;
    readonly 'end-time': number;
    readonly duration: number;
    readonly metrics: IoMetrics;
    readonly 'status-counts': StateCounts;
  }[];
}

/** Up to 10 % of the time ok, up to 50 % low. */
export type BackPressureLevel = 'ok' | 'low' | 'high';

/** Ratios are shares of the last second or so, 0 to 1. */
export interface SubtaskBackPressure {
  readonly subtask: number;
  readonly 'attempt-number': number;
  readonly backpressureLevel: BackPressureLevel;
  readonly ratio: number;
  readonly idleRatio: number;
  readonly busyRatio: number;
}

/** `GET /jobs/:jobid/vertices/:vertexid/backpressure`. 'deprecated' (Flink's word): nothing was measured yet. */
export interface VertexBackPressure {
  readonly status: 'ok' | 'deprecated';
  readonly backpressureLevel?: BackPressureLevel;
  readonly 'end-timestamp'?: number;
  readonly subtasks?: readonly SubtaskBackPressure[];
}

/** An entry of the exception history. */
export interface ExceptionInfo {
  readonly exceptionName: string;
  readonly stacktrace: string;
  readonly timestamp: number;
  readonly failureLabels: Readonly<Record<string, string>>;
  readonly taskName?: string;
  readonly endpoint?: string;
  readonly taskManagerId?: string;
}

/** What ended an attempt, and what failed with it. */
export interface RootExceptionInfo extends ExceptionInfo {
  readonly concurrentExceptions: readonly ExceptionInfo[];
}

/** `GET /jobs/:jobid/exceptions`. Newest first; `truncated`: there were more. */
export interface JobExceptions {
  readonly exceptionHistory: { readonly entries: readonly RootExceptionInfo[]; readonly truncated: boolean };
}

/** Bounds of each vertex's parallelism, by vertex id: `GET` and `PUT /jobs/:jobid/resource-requirements`. */
export type ResourceRequirements = Readonly<
  Record<string, { readonly parallelism: { readonly lowerBound: number; readonly upperBound: number } }>
>;
