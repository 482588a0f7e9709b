/**
 * One attempt of a job: starts its slots, deploys, runs until the end, a stop, a cancel or a failure. However it ends, slots that still live
 * close their functions and files, and are gone when `run` has settled. Its slots: region-execution.ts; its checkpoints:
 * checkpoint-performer.ts; how a part of it restarts while the rest goes on: region-restart.ts.
 *
 *     start slots ─▶ deploy ─▶ all deployed ─▶ start ─▶ … checkpoints … ─▶ all ended ─▶ final checkpoint ─▶ committed ─▶ finished
 *
 * Invariants: 1. `run` settles once; 2. an attempt that has ended asks slots for nothing but to close; 3. FINISHED only after the last commit.
 */
import type { CheckpointRequest } from '../checkpoint/coordinator-state.js';
import { asMillstreamError, MillstreamError } from '../common/errors.js';
import { deserializeError } from '../runtime/serialize-error.js';
import type { RecordPosition, ToSlot } from '../runtime/slot-messages.js';
import type { AttemptFailure, AttemptOptions, AttemptOutcome } from './attempt-options.js';
import { CheckpointPerformer } from './checkpoint-performer.js';
import { failoverRegions } from './failover-regions.js';
import { type Placement, placeSubtasks } from './placement.js';
import { RegionExecution, type RegionReport } from './region-execution.js';
import { RegionRestart } from './region-restart.js';
import { SourceCoordinator } from './source-coordinator.js';

export class ExecutionAttempt {
  private readonly options: AttemptOptions;
  private readonly placement: Placement;
  private readonly regions: readonly RegionExecution[];
  private readonly restart: RegionRestart;
  private readonly sources = new Map<string, SourceCoordinator>();
  private readonly checkpoints: CheckpointPerformer;
  private readonly outcome: PromiseWithResolvers<AttemptOutcome> = Promise.withResolvers<AttemptOutcome>();
  private readonly requests = new Map<string, PromiseWithResolvers<number>>();
  private settled = false;
  private isRunning = false;

  constructor(options: AttemptOptions) {
    this.options = options;
    const { graph, failover, observer } = options;
    this.placement = placeSubtasks(graph);
    const listener = {
      deployed: (region: RegionExecution) => this.deployed(region),
      message: (region: RegionExecution, slot: number, message: RegionReport) => this.receive(region, slot, message),
      lost: (region: RegionExecution, error: MillstreamError) => this.regionFailed(region, error, undefined),
      closeFailed: (error: MillstreamError) => observer.closeFailed(error),
    };
    this.regions = failoverRegions(graph, this.placement, failover === undefined).map(
      (region) => new RegionExecution(region, this.placement, options, listener),
    );
    this.checkpoints = this.createCheckpoints();
    this.restart = new RegionRestart(options, {
      checkpoints: this.checkpoints,
      sources: this.sources,
      isSettled: () => this.settled,
      failed: (error, position) => this.settle({ type: 'failed', error, position }),
      regionFailed: (region, error) => this.regionFailed(region, error, undefined),
    });
  }

  async run(): Promise<AttemptOutcome> {
    // Not awaited: while it waits for slots the attempt may be cancelled. Sources begin when there are slots to give splits to.
    Promise.all(this.regions.map((region) => region.start()))
      .then(() => this.startSources())
      .catch((error: unknown) => this.fail(error, undefined));
    const outcome = await this.outcome.promise;
    this.checkpoints.end();
    this.restart.end();
    for (const request of this.requests.values()) request.reject(checkpointRefused('the attempt has ended'));
    for (const source of this.sources.values()) {
      try {
        source.close();
      } catch (error) {
        this.options.observer.closeFailed(asMillstreamError(error));
      }
    }
    await Promise.all(this.regions.map((region) => region.end(this.options.clock)));
    await this.checkpoints.settled();
    return outcome;
  }

  /** Asks for a checkpoint; `stop` ends the job after it. Resolves with its number when it is complete; rejects with CHECKPOINT_FAILED. */
  async request(request: CheckpointRequest): Promise<number> {
    const answer = Promise.withResolvers<number>();
    this.requests.set(request.id, answer);
    this.checkpoints.request(request);
    try {
      return await answer.promise;
    } finally {
      this.requests.delete(request.id);
    }
  }

  cancel(): void {
    this.settle({ type: 'cancelled' });
  }

  /** Kills one slot as a crash would. */
  killSlot(slot: number): void {
    this.regions.find(({ region }) => region.slots.includes(slot))?.killSlot(slot);
  }

  private settle(outcome: AttemptOutcome): void {
    if (this.settled) return;
    this.settled = true;
    this.outcome.resolve(outcome);
  }

  /** Ends the attempt. */
  private fail(error: unknown, position: RecordPosition | undefined, origin?: Pick<AttemptFailure, 'slot' | 'task'>): void {
    if (this.settled) return;
    const typed = asMillstreamError(error);
    this.options.observer.attemptFailed({ error: typed, slot: origin?.slot, task: origin?.task });
    this.settle({ type: 'failed', error: typed, position });
  }

  /** Restarts the region if others can go on meanwhile, else ends the attempt. */
  private regionFailed(
    region: RegionExecution,
    error: unknown,
    position: RecordPosition | undefined,
    origin?: Pick<AttemptFailure, 'slot' | 'task'>,
  ): void {
    if (this.settled || region.status === 'down') return;
    if (!this.isRunning || this.regions.length === 1 || !this.checkpoints.canStopRegions) {
      this.fail(error, position, origin);
      return;
    }
    const typed = asMillstreamError(error);
    const isConcurrent = this.restart.isCollecting;
    this.options.observer.attemptFailed({ error: typed, isConcurrent, slot: origin?.slot, task: origin?.task });
    this.restart.failed(region, typed, position);
  }

  private broadcast(message: ToSlot): void {
    if (!this.settled) for (const region of this.regions) region.broadcast(message);
  }

  private regionOf(vertexId: string, subtask: number): RegionExecution {
    const slot = this.placement.slotOf(vertexId, subtask);
    return this.regions.find(({ region }) => region.slots.includes(slot)) as RegionExecution;
  }

  // ---- start

  private createCheckpoints(): CheckpointPerformer {
    const { run, attempt, graph, defaultParallelism, store, observer, checkpoints, epochs, clock } = this.options;
    const isSettled = (): boolean => this.settled;
    return new CheckpointPerformer(
      {
        slotCount: this.placement.slots,
        get isSettled() {
          return isSettled();
        },
        broadcast: (message) => this.broadcast(message),
        enumeratorStates: (epoch) => new Map([...this.sources].map(([vertexId, source]) => [vertexId, { inline: source.snapshot(epoch) }])),
        completed: (report) => {
          for (const source of this.sources.values()) source.checkpointCompleted(report.epoch);
          observer.checkpointCompleted(report);
        },
        triggered: (epoch, kind) => observer.checkpointTriggered(epoch, kind),
        acknowledged: (report) => observer.checkpointAcknowledged(report),
        discarded: (epoch) => observer.checkpointDiscarded(epoch),
        answered: (request, epoch) => this.requests.get(request.id)?.resolve(epoch),
        refused: ({ id }, reason) => this.requests.get(id)?.reject(checkpointRefused(reason)),
        failedCheckpoint: (epoch, reason) => observer.checkpointFailed(epoch, reason),
        ended: (end) => this.settle(end),
        fail: (error) => this.fail(error, undefined),
      },
      {
        owner: { run, attempt, graph, jobDirectory: store.directory ?? '', defaultParallelism },
        store,
        config: checkpoints,
        overtakeAfterMs: this.options.overtakeAfterMs,
        epochs,
        clock,
      },
    );
  }

  private startSources(): void {
    if (this.settled) return;
    const { program, graph, restore, clock, disk } = this.options;
    const send = (vertexId: string, subtask: number, message: ToSlot): void => {
      const region = this.regionOf(vertexId, subtask);
      // What is for readers that restart goes to them when they are there: see `SourceCoordinator.reset`.
      if (!this.settled && (region.status === 'running' || !this.isRunning)) region.send(vertexId, subtask, message);
    };
    for (const vertex of graph.vertices) {
      const implementation = program.implementations.get(vertex.id);
      if (implementation?.type !== 'source') continue;
      this.sources.set(
        vertex.id,
        new SourceCoordinator({
          vertexId: vertex.id,
          source: implementation.source,
          watermarks: implementation.watermarks,
          parallelism: vertex.parallelism,
          clock,
          disk,
          assign: (subtask, splits, watermarks) =>
            send(vertex.id, subtask, { type: 'assign', vertexId: vertex.id, subtask, splits, watermarks }),
          noMoreSplits: (subtask) => send(vertex.id, subtask, { type: 'noMoreSplits', vertexId: vertex.id, subtask }),
          align: (maxWatermark) => this.broadcast({ type: 'align', vertexId: vertex.id, maxWatermark }),
          fail: (error) => this.fail(error, undefined),
          restored: restore?.sources.get(vertex.id),
        }),
      );
    }
  }

  private deployed(region: RegionExecution): void {
    region.status = 'running';
    if (this.settled) return;
    if (this.isRunning) this.restart.deployed(region);
    else if (this.regions.every(({ status }) => status === 'running')) void this.startTasks();
  }

  private async startTasks(): Promise<void> {
    await Promise.all([...this.sources.values()].map((source) => source.started()));
    if (this.settled) return;
    this.isRunning = true;
    this.broadcast({ type: 'start' });
    this.options.running();
    this.options.observer.running();
    this.checkpoints.running(this.regions.flatMap(({ region }) => region.subtasks));
  }

  // ---- messages

  private receive(region: RegionExecution, slot: number, message: RegionReport): void {
    if (this.settled && message.type !== 'metrics') return;
    const { observer } = this.options;
    switch (message.type) {
      case 'requestSplit':
        this.sources.get(message.vertexId)?.requestSplit(message.subtask);
        break;
      case 'sourceWatermark':
        this.sources.get(message.vertexId)?.reportWatermark(message.subtask, message.watermark);
        break;
      case 'acknowledged':
        this.checkpoints.acknowledged(message.snapshot);
        break;
      case 'declined':
        this.checkpoints.declined(message.epoch, message.reason);
        break;
      case 'ended':
        observer.subtaskFinished(message.vertexId, message.subtask);
        this.checkpoints.subtaskFinished({ vertexId: message.vertexId, subtaskIndex: message.subtask });
        break;
      case 'committed':
        this.checkpoints.slotCommitted(message.epoch);
        break;
      case 'requestCheckpoint':
        this.checkpoints.handOver();
        break;
      case 'collected':
        observer.collected(message.nodeId, message.values);
        break;
      case 'failed':
        this.regionFailed(region, deserializeError(message.error), message.position, { slot, task: message.task });
        break;
      case 'metrics':
        observer.metrics(slot, message.tasks, message.longestDelayMs);
        break;
    }
  }
}

function checkpointRefused(reason: string): MillstreamError {
  return new MillstreamError('CHECKPOINT_FAILED', `Cannot complete the checkpoint that was asked for: ${reason.replace(/\.$/, '')}.`, {
    retryable: true,
  });
}
