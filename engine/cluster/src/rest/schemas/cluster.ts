/** Schemas of the cluster's own resources. */
import type {
  AggregatedMetric,
  ClusterOverview,
  ConfigurationEntry,
  DashboardConfiguration,
  HardwareDescription,
  Metric,
  TaskManagerDetails,
  TaskManagerInfo,
} from 'millstream/cluster';
import type { TUnsafe } from 'typebox';
import { flag, list, number, optional, shape, text } from './shape.js';

export const clusterOverview: TUnsafe<ClusterOverview> = shape<ClusterOverview>({
  taskmanagers: number,
  'slots-total': number,
  'slots-available': number,
  'jobs-running': number,
  'jobs-finished': number,
  'jobs-cancelled': number,
  'jobs-failed': number,
  'millstream-version': text,
});

export const dashboardConfiguration: TUnsafe<DashboardConfiguration> = shape<DashboardConfiguration>({
  'refresh-interval': number,
  'millstream-version': text,
  features: shape<DashboardConfiguration['features']>({ 'web-submit': flag, 'web-cancel': flag, 'web-rescale': flag, 'web-history': flag }),
});

export const configuration: TUnsafe<readonly ConfigurationEntry[]> = list(shape<ConfigurationEntry>({ key: text, value: text }));

const taskManagerFields = {
  id: text,
  path: text,
  dataPort: number,
  timeSinceLastHeartbeat: number,
  slotsNumber: number,
  freeSlots: number,
  hardware: shape<HardwareDescription>({ cpuCores: number, physicalMemory: number, freeMemory: number }),
} as const;

export interface TaskManagersBody {
  readonly taskmanagers: readonly TaskManagerInfo[];
}

export const taskManagers: TUnsafe<TaskManagersBody> = shape<TaskManagersBody>({
  taskmanagers: list(shape<TaskManagerInfo>(taskManagerFields)),
});

export const taskManagerDetails: TUnsafe<TaskManagerDetails> = shape<TaskManagerDetails>({
  ...taskManagerFields,
  allocatedSlots: list(shape<{ readonly jobId: string }>({ jobId: text })),
  metrics: shape<TaskManagerDetails['metrics']>({ heapUsed: optional(number), heapCommitted: optional(number), heapMax: optional(number) }),
});

export const metrics: TUnsafe<readonly Metric[]> = list(shape<Metric>({ id: text, value: optional(text) }));

export const aggregatedMetrics: TUnsafe<readonly AggregatedMetric[]> = list(
  shape<AggregatedMetric>({ id: text, min: optional(number), max: optional(number), sum: optional(number), avg: optional(number) }),
);
