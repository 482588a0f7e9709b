/** Schemas of jobs. */
import {
  EXECUTION_STATES,
  type ExceptionInfo,
  type IoMetrics,
  JOB_STATES,
  type JobConfig,
  type JobDetails,
  type JobExceptions,
  type JobExecutionResultInfo,
  type JobIdWithStatus,
  type JobOverview,
  type JobPlan,
  type JobState,
  type JobVertexOverview,
  type PlanNodeInfo,
  type PlanNodeInput,
  type ResourceRequirements,
  type RootExceptionInfo,
} from 'millstream/cluster';
import { type TUnsafe, Type } from 'typebox';
import { failureCause } from './operations.js';
import { flag, list, number, optional, record, shape, text, words } from './shape.js';

export const jobState: TUnsafe<JobState> = words(JOB_STATES);
export const executionState: TUnsafe<(typeof EXECUTION_STATES)[number]> = words(EXECUTION_STATES);

/** When a job, vertex or subtask began and ended. */
export const times: { 'start-time': typeof number; 'end-time': typeof number; duration: typeof number } = {
  'start-time': number,
  'end-time': number,
  duration: number,
};

export const ioMetrics: TUnsafe<IoMetrics> = shape<IoMetrics>({
  'read-records': number,
  'read-records-complete': flag,
  'accumulated-backpressured-time': number,
  'accumulated-idle-time': number,
  'accumulated-busy-time': number,
});

export interface JobsBody {
  readonly jobs: readonly JobIdWithStatus[];
}

export const jobs: TUnsafe<JobsBody> = shape<JobsBody>({ jobs: list(shape<JobIdWithStatus>({ id: text, status: jobState })) });

export interface JobsOverviewBody {
  readonly jobs: readonly JobOverview[];
}

export const jobsOverview: TUnsafe<JobsOverviewBody> = shape<JobsOverviewBody>({
  jobs: list(shape<JobOverview>({ jid: text, name: text, state: jobState, ...times, 'last-modification': number, tasks: record(number) })),
});

export const plan: TUnsafe<JobPlan> = shape<JobPlan>({
  jid: text,
  name: text,
  type: words(['STREAMING']),
  nodes: list(
    shape<PlanNodeInfo>({
      id: text,
      parallelism: number,
      operator: text,
      description: text,
      inputs: optional(list(shape<PlanNodeInput>({ num: number, id: text, ship_strategy: text, exchange: text }))),
    }),
  ),
});

export interface PlanBody {
  readonly plan: JobPlan;
}

export const planBody: TUnsafe<PlanBody> = shape<PlanBody>({ plan });

export const jobDetails: TUnsafe<JobDetails> = shape<JobDetails>({
  jid: text,
  name: text,
  isStoppable: flag,
  state: jobState,
  ...times,
  maxParallelism: number,
  now: number,
  timestamps: record(number),
  vertices: list(
    shape<JobVertexOverview>({
      id: text,
      name: text,
      slotSharingGroupId: text,
      maxParallelism: number,
      parallelism: number,
      status: executionState,
      ...times,
      tasks: record(number),
      metrics: ioMetrics,
    }),
  ),
  'status-counts': record(number),
  plan,
});

export interface JobStatusBody {
  readonly status: JobState;
}

export const jobStatus: TUnsafe<JobStatusBody> = shape<JobStatusBody>({ status: jobState });

export const jobConfig: TUnsafe<JobConfig> = shape<JobConfig>({
  jid: text,
  name: text,
  'execution-config': shape<JobConfig['execution-config']>({
    'restart-strategy': text,
    'job-parallelism': number,
    'user-config': record(text),
  }),
});

const exceptionFields = {
  exceptionName: text,
  stacktrace: text,
  timestamp: number,
  failureLabels: record(text),
  taskName: optional(text),
  endpoint: optional(text),
  taskManagerId: optional(text),
} as const;

export const jobExceptions: TUnsafe<JobExceptions> = shape<JobExceptions>({
  exceptionHistory: shape<JobExceptions['exceptionHistory']>({
    entries: list(shape<RootExceptionInfo>({ ...exceptionFields, concurrentExceptions: list(shape<ExceptionInfo>(exceptionFields)) })),
    truncated: flag,
  }),
});

export const jobExecutionResult: TUnsafe<JobExecutionResultInfo> = shape<JobExecutionResultInfo>({
  status: shape<JobExecutionResultInfo['status']>({ id: words(['IN_PROGRESS', 'COMPLETED']) }),
  'job-execution-result': optional(
    shape<NonNullable<JobExecutionResultInfo['job-execution-result']>>({
      id: text,
      'application-status': words(['SUCCEEDED', 'FAILED', 'CANCELED']),
      'net-runtime': number,
      'failure-cause': optional(failureCause),
    }),
  ),
});

/** Of a request and of its answer. */
export const resourceRequirements: TUnsafe<ResourceRequirements> = Type.Unsafe<ResourceRequirements>({
  type: 'object',
  maxProperties: 10_000,
  additionalProperties: {
    type: 'object',
    required: ['parallelism'],
    additionalProperties: false,
    properties: {
      parallelism: {
        type: 'object',
        required: ['lowerBound', 'upperBound'],
        additionalProperties: false,
        properties: {
          lowerBound: { type: 'integer', minimum: 1, maximum: 32768 },
          upperBound: { type: 'integer', minimum: 1, maximum: 32768 },
        },
      },
    },
  },
});
