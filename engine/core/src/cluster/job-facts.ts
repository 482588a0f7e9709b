/** What is known of a running job: its state, its subtasks, their figures, its checkpoints and failures. Told by the job's run. */
import type { SubtaskId } from '../checkpoint/coordinator-state.js';
import { type Clock, systemClock } from '../common/clock.js';
import type { MillstreamError } from '../common/errors.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { TaskMetrics } from '../runtime/slot-messages.js';
import type {
  AttemptFailure,
  CheckpointAcknowledgementReport,
  CompletedCheckpointReport,
  RestoredCheckpointReport,
} from './attempt-options.js';
import { CheckpointHistory } from './gateway/checkpoint-history.js';
import type { SubtaskFacts, TaskLoad } from './gateway/cluster-model.js';
import { ExceptionHistory } from './gateway/exception-history.js';
import type { ExecutionState, JobState } from './gateway/job-info.js';
import { loadBetween } from './gateway/present-vertex.js';
import type { RunObserver } from './job-run-options.js';
import type { RegisteredTaskManager } from './registered-task-manager.js';
import type { SlotSetPlan } from './slot-set.js';

const ENDED_STATES: ReadonlySet<ExecutionState> = new Set<ExecutionState>(['FINISHED', 'CANCELED', 'FAILED']);

interface Subtask {
  readonly vertexId: string;
  readonly subtask: number;
  attempt: number;
  state: ExecutionState;
  timestamps: Partial<Record<ExecutionState, number>>;
  place: { readonly taskManagerId: string; readonly endpoint: string } | undefined;
  metrics: TaskMetrics | undefined;
  /** Ms since 1970, and of the clock that does not go back. */
  reportedAt: number;
  reportedTick: number;
  load: TaskLoad | undefined;
}

/** How much is remembered of a job. Default: Flink's. */
export interface HistorySizes {
  readonly checkpoints?: number;
  readonly exceptions?: number;
}

interface Place {
  readonly taskManagerId: string;
  readonly endpoint: string;
}

function placeOn({ id, description }: RegisteredTaskManager): Place {
  return { taskManagerId: id, endpoint: `${description.data.host}:${description.data.port}` };
}

export class JobFactsCollector implements RunObserver {
  readonly checkpoints: CheckpointHistory;
  readonly exceptions: ExceptionHistory;
  state: JobState = 'INITIALIZING';
  readonly timestamps: Partial<Record<JobState, number>> = {};
  graph: JobGraph;
  restarts = 0;
  private readonly clock: Clock;
  private attempt = 0;
  private readonly byName = new Map<string, Subtask>();
  /** By slot of the attempt. */
  private places: Place[] = [];
  private lastFailure: MillstreamError | undefined;

  constructor(graph: JobGraph, clock: Clock = systemClock, sizes: HistorySizes = {}) {
    this.checkpoints = new CheckpointHistory(sizes.checkpoints);
    this.exceptions = new ExceptionHistory(sizes.exceptions);
    this.graph = graph;
    this.clock = clock;
    this.enter('INITIALIZING');
  }

  enter(state: JobState): void {
    this.state = state;
    this.timestamps[state] = this.clock.now();
  }

  get subtasks(): SubtaskFacts[] {
    return [...this.byName.values()].map(({ vertexId, subtask, attempt, state, timestamps, place, metrics, load, reportedAt }) => ({
      vertexId,
      subtask,
      attempt,
      state,
      timestamps: { ...timestamps },
      ...(place !== undefined && { place }),
      ...(metrics !== undefined && { metrics }),
      ...(load !== undefined && { load }),
      ...(metrics !== undefined && { reportedAt }),
    }));
  }

  private all(state: ExecutionState): void {
    for (const subtask of this.byName.values()) this.enterSubtask(subtask, state);
  }

  private enterSubtask(subtask: Subtask, state: ExecutionState): void {
    if (subtask.state === state && subtask.timestamps[state] !== undefined) return;
    subtask.state = state;
    subtask.timestamps[state] = this.clock.now();
    // It has no load any more.
    if (ENDED_STATES.has(state)) subtask.load = undefined;
  }

  // ---- what the run tells

  slotsAwaited(graph: JobGraph): void {
    this.attemptStarted(this.attempt, graph);
  }

  attemptStarted(attempt: number, graph: JobGraph): void {
    this.attempt = attempt;
    this.graph = graph;
    this.places = [];
    this.byName.clear();
    for (const vertex of graph.vertices) {
      for (let subtask = 0; subtask < vertex.parallelism; subtask++) {
        this.byName.set(`${vertex.id}:${subtask}`, {
          vertexId: vertex.id,
          subtask,
          attempt,
          state: 'SCHEDULED',
          timestamps: {},
          place: undefined,
          metrics: undefined,
          reportedAt: 0,
          reportedTick: 0,
          load: undefined,
        });
      }
    }
    this.all('SCHEDULED');
    this.enter('CREATED');
  }

  placed({ placement, region }: SlotSetPlan, hosts: readonly RegisteredTaskManager[]): void {
    for (const slot of region.slots) this.places[slot] = placeOn(hosts[slot] as RegisteredTaskManager);
    for (const { vertexId, subtaskIndex } of region.subtasks) {
      const subtask = this.byName.get(`${vertexId}:${subtaskIndex}`);
      if (subtask === undefined) continue;
      subtask.place = this.places[placement.slotOf(vertexId, subtaskIndex)];
      this.enterSubtask(subtask, 'DEPLOYING');
    }
  }

  running(subtasks?: readonly SubtaskId[]): void {
    if (subtasks === undefined) this.all('RUNNING');
    else for (const subtask of this.those(subtasks)) this.enterSubtask(subtask, 'RUNNING');
    const isAny = (state: ExecutionState): boolean => [...this.byName.values()].some((subtask) => subtask.state === state);
    if (this.state !== 'CANCELLING' && !isAny('FAILED') && !isAny('SCHEDULED') && !isAny('DEPLOYING')) this.enter('RUNNING');
  }

  private those(subtasks: readonly SubtaskId[]): Subtask[] {
    return subtasks.flatMap(({ vertexId, subtaskIndex }) => this.byName.get(`${vertexId}:${subtaskIndex}`) ?? []);
  }

  regionsRestarting(subtasks: readonly SubtaskId[]): void {
    this.restarts++;
    for (const subtask of this.those(subtasks)) this.enterSubtask(subtask, 'FAILED');
    this.enter('RESTARTING');
  }

  regionsDeploying(subtasks: readonly SubtaskId[], attempt: number): void {
    for (const subtask of this.those(subtasks)) {
      subtask.attempt = attempt;
      subtask.timestamps = {};
      subtask.metrics = undefined;
      this.enterSubtask(subtask, 'SCHEDULED');
    }
  }

  subtaskFinished(vertexId: string, subtask: number): void {
    const known = this.byName.get(`${vertexId}:${subtask}`);
    if (known !== undefined) this.enterSubtask(known, 'FINISHED');
  }

  metrics(_slot: number, tasks: readonly TaskMetrics[]): void {
    const now = this.clock.monotonic();
    for (const metrics of tasks) {
      const subtask = this.byName.get(`${metrics.vertexId}:${metrics.subtask}`);
      if (subtask === undefined) continue;
      if (subtask.metrics !== undefined && !ENDED_STATES.has(subtask.state))
        subtask.load = loadBetween(subtask.metrics, metrics, now - subtask.reportedTick);
      subtask.metrics = metrics;
      subtask.reportedAt = this.clock.now();
      subtask.reportedTick = now;
    }
  }

  collected(): void {
    // A cluster has nobody to hand results to; such plans are refused at submission.
  }

  checkpointTriggered(epoch: number, kind: 'checkpoint' | 'savepoint'): void {
    const vertices = new Map(this.graph.vertices.map(({ id, parallelism }) => [id, parallelism]));
    this.checkpoints.triggered({ epoch, kind, at: this.clock.now(), vertices });
  }

  checkpointAcknowledged(acknowledgement: CheckpointAcknowledgementReport): void {
    this.checkpoints.acknowledged({ ...acknowledgement, at: this.clock.now() });
  }

  checkpointRestored(checkpoint: RestoredCheckpointReport): void {
    this.checkpoints.restored({ ...checkpoint, at: this.clock.now() });
  }

  checkpointDiscarded(epoch: number): void {
    this.checkpoints.discarded(epoch);
  }

  checkpointCompleted({ epoch, path }: CompletedCheckpointReport): void {
    this.checkpoints.completed({ epoch, at: this.clock.now(), path });
  }

  checkpointFailed(epoch: number, reason: string): void {
    this.checkpoints.failed({ epoch, at: this.clock.now(), reason });
  }

  restarting(error: MillstreamError): void {
    this.restarts++;
    this.attemptEnded();
    this.failed(error);
    this.all('FAILED');
    this.enter('RESTARTING');
  }

  attemptFailed({ error, isConcurrent = false, slot, task }: AttemptFailure): void {
    const vertex = this.graph.vertices.find(({ id }) => id === task?.vertexId);
    const number = (task?.subtask ?? 0) + 1;
    const taskManager = error.details.taskManager;
    // A lost slot or TaskManager says which it was.
    const place = this.places.find((each) => each.taskManagerId === taskManager) ?? this.places[slot ?? Number(error.details.slot)];
    const failure = {
      at: this.clock.now(),
      error,
      ...(vertex !== undefined && { taskName: `${vertex.name} (${number}/${vertex.parallelism})` }),
      ...place,
      labels: { domain: error.domain },
    };
    if (isConcurrent) this.exceptions.addConcurrent(failure);
    else this.exceptions.add(failure);
    this.lastFailure = error;
  }

  closeFailed(error: MillstreamError): void {
    this.exceptions.addConcurrent({ at: this.clock.now(), error, labels: { domain: error.domain } });
  }

  /** A failure, unless an attempt has told of it with what it knows. */
  failed(error: MillstreamError): void {
    if (error === this.lastFailure) return;
    this.exceptions.add({ at: this.clock.now(), error, labels: { domain: error.domain } });
  }

  private attemptEnded(): void {
    this.checkpoints.failedInProgress({ at: this.clock.now(), reason: 'The attempt of the job that it was taken in has ended.' });
  }

  ended(state: 'FINISHED' | 'CANCELED' | 'FAILED' | 'SUSPENDED'): void {
    this.attemptEnded();
    this.all(state === 'FAILED' ? 'FAILED' : state === 'FINISHED' ? 'FINISHED' : 'CANCELED');
    this.enter(state);
  }
}
