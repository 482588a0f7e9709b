/**
 * One attempt of a job: starts its slots, deploys, runs until the end, a stop, a cancel or a failure. However it ends, slots that still live
 * close their functions and files, and are gone when `run` has settled. Its slots: slot-set.ts; its checkpoints: checkpoint-performer.ts.
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
import type { SlotReport, SlotSet } from './slot-set.js';
import { SourceCoordinator } from './source-coordinator.js';

export class ExecutionAttempt {
  private readonly options: AttemptOptions;
  private readonly slots: SlotSet;
  private readonly sources = new Map<string, SourceCoordinator>();
  private readonly checkpoints: CheckpointPerformer;
  private readonly outcome: PromiseWithResolvers<AttemptOutcome> = Promise.withResolvers<AttemptOutcome>();
  private readonly requests = new Map<string, PromiseWithResolvers<number>>();
  private settled = false;
  private deployed = 0;

  constructor(options: AttemptOptions) {
    this.options = options;
    this.slots = options.createSlots(options, {
      message: (slot, message) => this.receive(slot, message),
      lost: (error) => this.fail(error, undefined),
      closeFailed: (error) => options.observer.closeFailed(error),
    });
    this.checkpoints = this.createCheckpoints();
  }

  async run(): Promise<AttemptOutcome> {
    // Not awaited: while it waits for slots the attempt may be cancelled. Sources begin when there are slots to give splits to.
    this.slots
      .start()
      .then(() => this.startSources())
      .catch((error: unknown) => this.fail(error, undefined));
    const outcome = await this.outcome.promise;
    this.checkpoints.end();
    for (const request of this.requests.values()) request.reject(checkpointRefused('the attempt has ended'));
    for (const source of this.sources.values()) source.close();
    await this.slots.close(this.options.clock);
    await this.slots.kill();
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
    this.slots.killSlot(slot);
  }

  private settle(outcome: AttemptOutcome): void {
    if (this.settled) return;
    this.settled = true;
    this.outcome.resolve(outcome);
  }

  private fail(error: unknown, position: RecordPosition | undefined, origin?: Pick<AttemptFailure, 'slot' | 'task'>): void {
    if (this.settled) return;
    const typed = asMillstreamError(error);
    this.options.observer.attemptFailed({ error: typed, slot: origin?.slot, task: origin?.task });
    this.settle({ type: 'failed', error: typed, position });
  }

  private broadcast(message: ToSlot): void {
    if (!this.settled) this.slots.broadcast(message);
  }

  // ---- start

  private createCheckpoints(): CheckpointPerformer {
    const { run, attempt, graph, defaultParallelism, store, observer, checkpoints, epochs, clock } = this.options;
    const isSettled = (): boolean => this.settled;
    return new CheckpointPerformer(
      {
        slotCount: this.slots.placement.slots,
        get isSettled() {
          return isSettled();
        },
        broadcast: (message) => this.broadcast(message),
        enumeratorStates: () => new Map([...this.sources].map(([vertexId, source]) => [vertexId, { inline: source.snapshot() }])),
        completed: (report) => observer.checkpointCompleted(report),
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
            this.slots.send(vertex.id, subtask, { type: 'assign', vertexId: vertex.id, subtask, splits, watermarks }),
          noMoreSplits: (subtask) => this.slots.send(vertex.id, subtask, { type: 'noMoreSplits', vertexId: vertex.id, subtask }),
          align: (maxWatermark) => this.broadcast({ type: 'align', vertexId: vertex.id, maxWatermark }),
          fail: (error) => this.fail(error, undefined),
          restored: restore?.sources.get(vertex.id),
        }),
      );
    }
  }

  private async startTasks(): Promise<void> {
    await Promise.all([...this.sources.values()].map((source) => source.started()));
    this.broadcast({ type: 'start' });
    this.options.running();
    this.options.observer.running();
    this.checkpoints.running(this.slots.placement.subtasks.map(({ vertexId, subtaskIndex }) => ({ vertexId, subtaskIndex })));
  }

  // ---- messages

  private receive(slot: number, message: SlotReport): void {
    if (this.settled && message.type !== 'metrics') return;
    const { observer } = this.options;
    switch (message.type) {
      case 'deployed':
        this.deployed++;
        if (this.deployed === this.slots.placement.slots) void this.startTasks();
        break;
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
        this.fail(deserializeError(message.error), message.position, { slot, task: message.task });
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
