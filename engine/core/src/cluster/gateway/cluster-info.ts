/** What REST says of the cluster itself, in Flink's field names. What Millstream cannot know is absent. */

/** `GET /overview`. */
export interface ClusterOverview {
  readonly taskmanagers: number;
  readonly 'slots-total': number;
  readonly 'slots-available': number;
  readonly 'jobs-running': number;
  readonly 'jobs-finished': number;
  readonly 'jobs-cancelled': number;
  readonly 'jobs-failed': number;
  readonly 'millstream-version': string;
}

/** `GET /config`: what a dashboard needs to know. */
export interface DashboardConfiguration {
  readonly 'refresh-interval': number;
  readonly 'millstream-version': string;
  readonly features: {
    readonly 'web-submit': boolean;
    readonly 'web-cancel': boolean;
    readonly 'web-rescale': boolean;
    readonly 'web-history': boolean;
  };
}

/** An option of the cluster. Secrets are masked by whoever makes it. */
export interface ConfigurationEntry {
  readonly key: string;
  readonly value: string;
}

/** Memory in bytes. */
export interface HardwareDescription {
  readonly cpuCores: number;
  readonly physicalMemory: number;
  readonly freeMemory: number;
}

/** One of `GET /taskmanagers`. */
export interface TaskManagerInfo {
  readonly id: string;
  /** The host that it is on. */
  readonly path: string;
  readonly dataPort: number;
  /** When it was heard last, ms since 1970 (the name is Flink's). */
  readonly timeSinceLastHeartbeat: number;
  readonly slotsNumber: number;
  readonly freeSlots: number;
  readonly hardware: HardwareDescription;
}

/** `GET /taskmanagers/:taskmanagerid`. */
export interface TaskManagerDetails extends TaskManagerInfo {
  readonly allocatedSlots: readonly { readonly jobId: string }[];
  /** Bytes of its main thread and slots, as far as reported. */
  readonly metrics: { readonly heapUsed?: number; readonly heapCommitted?: number; readonly heapMax?: number };
}

/** A metric; without `value` where only names were asked for. */
export interface Metric {
  readonly id: string;
  readonly value?: string;
}

/** How metrics of several members become one. */
export type MetricAggregation = 'min' | 'max' | 'sum' | 'avg';

/** A metric over jobs, subtasks or TaskManagers; only the aggregations that were asked for. */
export interface AggregatedMetric {
  readonly id: string;
  readonly min?: number;
  readonly max?: number;
  readonly sum?: number;
  readonly avg?: number;
}

/** Whose metrics. */
export type MetricScope =
  | { readonly type: 'jobmanager' }
  | { readonly type: 'taskmanager'; readonly taskManagerId: string }
  | { readonly type: 'job'; readonly jobId: string }
  /** Each metric of each subtask, as "<subtask>.<name>". */
  | { readonly type: 'vertex'; readonly jobId: string; readonly vertexId: string }
  | { readonly type: 'subtask'; readonly jobId: string; readonly vertexId: string; readonly subtask: number };

/** Over what metrics are aggregated. `members`: ids; all if absent. */
export type MetricGroup =
  | { readonly type: 'jobs'; readonly members?: readonly string[] }
  | { readonly type: 'taskmanagers'; readonly members?: readonly string[] }
  /** `members`: subtask indices. */
  | { readonly type: 'subtasks'; readonly jobId: string; readonly vertexId: string; readonly members?: readonly string[] };
