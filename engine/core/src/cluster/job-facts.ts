/** What is known of a running job: its state, its subtasks, their figures, its checkpoints and failures. Told by the job's run. */
import { type Clock, systemClock } from '../common/clock.js';
import type { MillstreamError } from '../common/errors.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { TaskMetrics } from '../runtime/slot-messages.js';
import type { CheckpointAcknowledgementReport, CompletedCheckpointReport, RestoredCheckpointReport } from './attempt-options.js';
import { CheckpointHistory } from './gateway/checkpoint-history.js';
import type { SubtaskFacts, TaskLoad } from './gateway/cluster-model.js';
import { ExceptionHistory } from './gateway/exception-history.js';
import type { ExecutionState, JobState } from './gateway/job-info.js';
import { loadBetween } from './gateway/present-vertex.js';
import type { RunObserver } from './job-run-options.js';
import type { Placement } from './placement.js';
import type { RegisteredTaskManager } from './registered-task-manager.js';

const ENDED_STATES: ReadonlySet<ExecutionState> = new Set<ExecutionState>(['FINISHED', 'CANCELED', 'FAILED']);

interface Subtask {
  readonly vertexId: string;
  readonly subtask: number;
  state: ExecutionState;
  timestamps: Partial<Record<ExecutionState, number>>;
  place: { readonly taskManagerId: string; readonly endpoint: string; readonly slot: number } | undefined;
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
    return [...this.byName.values()].map(({ vertexId, subtask, state, timestamps, place, metrics, load, reportedAt }) => ({
      vertexId,
      subtask,
      attempt: this.attempt,
      state,
      timestamps: { ...timestamps },
      ...(place !== undefined && { place: { taskManagerId: place.taskManagerId, endpoint: place.endpoint } }),
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
    this.byName.clear();
    for (const vertex of graph.vertices) {
      for (let subtask = 0; subtask < vertex.parallelism; subtask++) {
        this.byName.set(`${vertex.id}:${subtask}`, {
          vertexId: vertex.id,
          subtask,
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

  placed(placement: Placement, hosts: readonly RegisteredTaskManager[]): void {
    for (const { vertexId, subtaskIndex, slot } of placement.subtasks) {
      const subtask = this.byName.get(`${vertexId}:${subtaskIndex}`);
      const host = hosts[slot];
      if (subtask === undefined || host === undefined) continue;
      const { data } = host.description;
      subtask.place = { taskManagerId: host.id, endpoint: `${data.host}:${data.port}`, slot };
    }
    this.all('DEPLOYING');
  }

  running(): void {
    this.all('RUNNING');
    this.enter('RUNNING');
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
    this.subtasksFailed(error);
    this.enter('RESTARTING');
  }

  closeFailed(error: MillstreamError): void {
    this.exceptions.addConcurrent({ at: this.clock.now(), error });
  }

  slotFailed(slot: number, error: MillstreamError, operator: string | undefined): void {
    this.origin = { slot, error, operator };
  }

  private origin: { readonly slot: number; readonly error: MillstreamError; readonly operator: string | undefined } | undefined;

  private latestError: MillstreamError | undefined;

  failed(error: MillstreamError): void {
    this.latestError = error;
    const place = this.failedSubtasks(error)[0]?.place;
    const taskName = this.failedTask(error);
    this.exceptions.add({
      at: this.clock.now(),
      error,
      ...(place !== undefined && { taskManagerId: place.taskManagerId, endpoint: place.endpoint }),
      ...(taskName !== undefined && { taskName }),
    });
  }

  /** Those that an error has ended: of the slot that told of it, or of the TaskManager that is gone. None where that is not known. */
  private failedSubtasks(error: MillstreamError): Subtask[] {
    const slot = this.originOf(error)?.slot;
    const { taskManager } = error.details;
    return [...this.byName.values()].filter(({ place }) =>
      slot === undefined ? place !== undefined && place.taskManagerId === taskManager : place?.slot === slot,
    );
  }

  private originOf(error: MillstreamError): JobFactsCollector['origin'] {
    const { origin } = this;
    return origin !== undefined && (error === origin.error || error.cause === origin.error) ? origin : undefined;
  }

  /** "map -> sink (2/4)" */
  private failedTask(error: MillstreamError): string | undefined {
    const operator = this.originOf(error)?.operator;
    if (operator === undefined) return undefined;
    const vertex = this.graph.vertices.find(({ chain }) => chain.some(({ node }) => node.id === operator || node.uid === operator));
    const subtask = this.failedSubtasks(error).find(({ vertexId }) => vertexId === vertex?.id);
    return vertex && subtask && `${vertex.name} (${subtask.subtask + 1}/${vertex.parallelism})`;
  }

  /** What has not failed itself was ended because of it. */
  private subtasksFailed(error: MillstreamError): void {
    for (const subtask of this.failedSubtasks(error)) this.enterSubtask(subtask, 'FAILED');
    const isKnown = [...this.byName.values()].some(({ state }) => state === 'FAILED');
    for (const subtask of this.byName.values()) if (subtask.state !== 'FAILED') this.enterSubtask(subtask, isKnown ? 'CANCELED' : 'FAILED');
  }

  private attemptEnded(): void {
    this.checkpoints.failedInProgress({ at: this.clock.now(), reason: 'The attempt of the job that it was taken in has ended.' });
  }

  ended(state: 'FINISHED' | 'CANCELED' | 'FAILED' | 'SUSPENDED'): void {
    this.attemptEnded();
    // A job that fails has said why before.
    if (state !== 'FAILED') this.all(state === 'FINISHED' ? 'FINISHED' : 'CANCELED');
    else if (this.latestError !== undefined) this.subtasksFailed(this.latestError);
    this.enter(state);
  }
}
