/** A cluster in memory: jobs with states, subtasks, checkpoints and failures that tests move by hand. What serves it is the real gateway. */
import { defineJob, MillstreamError } from 'millstream';
import {
  type ArtifactRunRequest,
  ArtifactStore,
  buildDefinedJob,
  buildJobGraph,
  CheckpointHistory,
  type CheckpointSettings,
  type ClusterModel,
  type ConfigurationEntry,
  ExceptionHistory,
  type JobFacts,
  type JobGraph,
  type JobState,
  ModelGateway,
  type ModelGatewayOptions,
  type ResourceRequirements,
  type StoredArtifact,
  type SubtaskFacts,
  type TaskManagerFacts,
} from 'millstream/cluster';
import { MemoryDisk, seededRandom, systemClock } from 'millstream/testing';

export const JOB_ID = '0123456789abcdef0123456789abcdef';
/** When the job began. */
export const START = 1_700_000_000_000;

const SETTINGS: CheckpointSettings = {
  mode: 'exactly_once',
  interval: 1000,
  timeout: 600_000,
  min_pause: 0,
  max_concurrent: 1,
  externalization: { enabled: true, delete_on_cancellation: false },
  state_backend: 'heap',
  checkpoint_storage: 'file:///checkpoints',
  unaligned_checkpoints: false,
  tolerable_failed_checkpoints: 0,
};

/** numbers (2) ─hash─▶ reduce (2). */
async function testGraph(): Promise<JobGraph> {
  const job = defineJob(
    (env) => {
      env
        .fromElements(1, 2, 3)
        .uid('numbers')
        .setParallelism(2)
        .keyBy((value) => value % 2)
        .reduce((a, b) => a + b)
        .name('sum')
        .uid('sum/by parity?')
        .setParallelism(2)
        .print()
        .setParallelism(2);
    },
    { name: 'sums' },
  );
  const { plan } = await buildDefinedJob(job, { mode: 'client', parameters: {}, options: {} });
  return buildJobGraph(plan);
}

function subtasksOf(graph: JobGraph, state: SubtaskFacts['state']): SubtaskFacts[] {
  return graph.vertices.flatMap(({ id, chain, parallelism }) =>
    Array.from({ length: parallelism }, (_, subtask) => ({
      vertexId: id,
      subtask,
      attempt: 1,
      state,
      timestamps: { CREATED: START, SCHEDULED: START + 1, DEPLOYING: START + 2, INITIALIZING: START + 5, RUNNING: START + 10 },
      place: { taskManagerId: `tm-${subtask + 1}`, endpoint: `127.0.0.${subtask + 1}` },
      metrics: {
        vertexId: id,
        subtask,
        recordsIn: chain.map((_node, index) => 100 * (subtask + 1) + index),
        watermark: subtask === 0 ? 5000 : Number.NEGATIVE_INFINITY,
        busyMs: 400.4,
        backPressuredMs: 300,
        idleMs: 200,
        lateRecordsDropped: 1,
        recordsInErrors: 0,
        stateEntries: 7,
        stateColumnBytes: 800,
      },
      load: { busy: 0.4, backPressured: subtask === 0 ? 0.05 : 0.3, idle: 0.2 },
    })),
  );
}

export class MemoryCluster implements ClusterModel {
  readonly version: string = '0.1.0-test';
  readonly address: string = 'http://127.0.0.1:8081';
  leads: boolean = true;
  ended: boolean = false;
  readonly savepoints: Set<string> = new Set<string>();
  readonly started: { artifact: StoredArtifact; request: ArtifactRunRequest }[] = [];
  readonly stops: { jobId: string; drain: boolean }[] = [];
  /** Savepoints wait for it. */
  gate: Promise<void> = Promise.resolve();
  private readonly known = new Map<string, JobFacts>();
  private readonly graph: JobGraph;

  constructor(graph: JobGraph) {
    this.graph = graph;
    this.start(JOB_ID);
  }

  ready(): boolean {
    return this.leads;
  }

  configuration(): readonly ConfigurationEntry[] {
    return [
      { key: 'taskmanager.numberOfTaskSlots', value: '2' },
      { key: 'security.rest.token.admin', value: '******' },
    ];
  }

  metrics(): Readonly<Record<string, number>> {
    return { heapUsed: 1000, taskSlotsTotal: 4 };
  }

  taskManagers(): readonly TaskManagerFacts[] {
    return [1, 2].map((number) => ({
      id: `tm-${number}`,
      address: `127.0.0.${number}:6122`,
      dataPort: 6121,
      slots: 2,
      taken: [...this.known.values()].filter(({ state }) => state === 'RUNNING').map(({ id }) => id),
      lastHeartbeatAt: START + 60_000,
      hardware: { cpuCores: 4, physicalMemory: 8e9, freeMemory: 1e9 },
      metrics: { heapUsed: number * 1000, heapMax: 9000, numStaleMessages: number },
    }));
  }

  jobs(): readonly JobFacts[] {
    return [...this.known.values()].reverse();
  }

  job(jobId: string): JobFacts | undefined {
    return this.known.get(jobId);
  }

  async cancelJob(jobId: string): Promise<void> {
    if (this.known.get(jobId)?.state === 'RUNNING') this.move(jobId, 'CANCELED');
  }

  async checkpoint(jobId: string): Promise<number> {
    return await this.takeCheckpoint(jobId, 'checkpoint');
  }

  async savepoint(jobId: string, directory: string | undefined): Promise<string> {
    await this.gate;
    if (directory === '/full') throw new MillstreamError('DISK_FULL', "Cannot write the savepoint '/full': the disk is full.");
    const epoch = await this.takeCheckpoint(jobId, 'savepoint');
    const path = `${directory ?? '/savepoints'}/savepoint-${epoch}`;
    this.savepoints.add(path);
    return path;
  }

  async stop(jobId: string, { directory, drain }: { directory: string | undefined; drain: boolean }): Promise<string> {
    this.stops.push({ jobId, drain });
    const path = await this.savepoint(jobId, directory);
    this.move(jobId, 'FINISHED');
    return path;
  }

  async disposeSavepoint(path: string): Promise<void> {
    if (!this.savepoints.delete(path)) throw new MillstreamError('CHECKPOINT_NOT_FOUND', `There is no savepoint at '${path}'.`);
  }

  async updateRequirements(jobId: string, requirements: ResourceRequirements): Promise<void> {
    this.change(jobId, { requirements });
  }

  async planArtifact(_artifact: StoredArtifact): Promise<JobGraph> {
    return this.graph;
  }

  async runArtifact(artifact: StoredArtifact, request: ArtifactRunRequest): Promise<string> {
    if (request.programArgsList?.includes('--throw')) throw new TypeError('secret of the inside at file.ts:3');
    this.started.push({ artifact, request });
    const id = request.jobId ?? this.started.length.toString(16).padStart(32, '0');
    this.start(id);
    return id;
  }

  async shutDown(): Promise<void> {
    this.ended = true;
  }

  /** Fails the job's newest attempt for good. */
  fail(jobId: string, error: Error): void {
    const job = this.known.get(jobId);
    job?.exceptions.add({ at: START + 50, error, taskName: 'sum (2/2)', taskManagerId: 'tm-2', endpoint: '127.0.0.2' });
    this.move(jobId, 'FAILED');
  }

  /** Takes a checkpoint whose subtasks wrote 10 bytes each of 30. */
  async takeCheckpoint(jobId: string, kind: 'checkpoint' | 'savepoint'): Promise<number> {
    const { checkpoints, graph } = this.known.get(jobId) as JobFacts;
    const epoch = checkpoints.statistics().counts.total + 1;
    const at = START + 1000 * epoch;
    checkpoints.triggered({ epoch, kind, at, vertices: new Map(graph.vertices.map(({ id, parallelism }) => [id, parallelism])) });
    for (const { id, parallelism } of graph.vertices) {
      for (let subtask = 0; subtask < parallelism; subtask++) {
        checkpoints.acknowledged({ epoch, vertexId: id, subtask, at: at + 5 + subtask, writtenBytes: 10, stateBytes: 30 });
      }
    }
    checkpoints.completed({ epoch, at: at + 20, path: `/checkpoints/chk-${epoch}` });
    return epoch;
  }

  private start(id: string): void {
    const { graph } = this;
    this.known.set(id, {
      id,
      name: graph.jobName,
      state: 'RUNNING',
      timestamps: { INITIALIZING: START, CREATED: START + 1, RUNNING: START + 2 },
      graph,
      defaultParallelism: 2,
      subtasks: subtasksOf(graph, 'RUNNING'),
      formerSubtasks: subtasksOf(graph, 'FAILED').map((subtask) => ({
        ...subtask,
        attempt: 0,
        timestamps: { ...subtask.timestamps, FAILED: START + 20 },
      })),
      restartStrategy: 'exponential-delay',
      restarts: 1,
      configuration: { 'parallelism.default': '2' },
      checkpointSettings: SETTINGS,
      requirements: Object.fromEntries(graph.vertices.map((vertex) => [vertex.id, { parallelism: { lowerBound: 1, upperBound: 2 } }])),
      checkpoints: new CheckpointHistory(),
      exceptions: new ExceptionHistory(),
    });
  }

  private move(jobId: string, state: JobState): void {
    const job = this.known.get(jobId) as JobFacts;
    this.change(jobId, { state, timestamps: { ...job.timestamps, [state]: START + 100 } });
  }

  private change(jobId: string, changes: Partial<JobFacts>): void {
    this.known.set(jobId, { ...(this.known.get(jobId) as JobFacts), ...changes });
  }
}

/** A cluster and its gateway. */
export async function memoryCluster(
  uploadBytesMax = 4096,
  settings: Pick<ModelGatewayOptions, 'requestTimeoutMs'> = {},
): Promise<{ cluster: MemoryCluster; gateway: ModelGateway; disk: MemoryDisk }> {
  const disk = new MemoryDisk();
  const cluster = new MemoryCluster(await testGraph());
  const artifacts = await ArtifactStore.open({ disk, clock: systemClock, directory: '/artifacts', uploadBytesMax });
  const gateway = new ModelGateway({
    model: cluster,
    artifacts,
    clock: systemClock,
    random: seededRandom(1),
    features: { submit: true, cancel: true, rescale: true },
    ...settings,
  });
  return { cluster, gateway, disk };
}

/** The ids of the test job's two vertices. */
export function vertexIds(cluster: MemoryCluster): { source: string; sum: string } {
  const [source, sum] = (cluster.job(JOB_ID) as JobFacts).graph.vertices.map(({ id }) => id) as [string, string];
  return { source, sum };
}
