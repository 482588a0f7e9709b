/**
 * Runs a sink: its writer takes records, its committables are part of the checkpoint, and its committer makes them visible when the
 * checkpoint is complete, and again after a recovery. Committables of checkpoints that failed travel with the next one.
 */
import type { Disk } from '../common/disk.js';
import type { Sink, SinkCommitter, SinkWriter, SinkWriterContext } from '../connector/sink.js';
import type { Operator, OperatorContext } from '../operators/operator.js';
import { encodeValue } from './operator-state.js';

const WRITER_STATE = 'sink-writer';

interface Pending {
  readonly epoch: number;
  readonly committables: readonly unknown[];
}

export class SinkOperator implements Operator {
  readonly writer: SinkWriter<unknown, unknown, unknown>;
  private readonly context: OperatorContext;
  private readonly committer: SinkCommitter<unknown> | undefined;
  private readonly toCommit: readonly unknown[];
  private pending: Pending[] = [];
  private waiting = false;

  /** `restored`: what this subtask has to commit (again), and what all subtasks had. */
  constructor(sink: Sink<unknown>, context: OperatorContext, disk: Disk, restored: { mine: readonly unknown[]; all: readonly unknown[] }) {
    this.context = context;
    this.toCommit = restored.mine;
    const writerContext: SinkWriterContext = {
      subtaskIndex: context.subtaskIndex,
      parallelism: context.parallelism,
      run: context.run,
      attempt: context.attempt,
      clock: context.clock,
      disk,
      restoredCommittables: restored.all,
    };
    this.writer = sink.createWriter(writerContext, context.operatorState.list<unknown>(WRITER_STATE).get());
    this.committer = sink.createCommitter?.(writerContext);
  }

  async open(): Promise<void> {
    if (this.toCommit.length > 0) await this.committer?.commit(this.toCommit);
    await this.writer.open?.();
  }

  /** The task asks after each batch: a writer that is full stops the chain. */
  checkReady(): void {
    if (this.waiting) return;
    const ready = this.writer.ready?.();
    if (ready === undefined) return;
    this.waiting = true;
    this.context.suspend();
    ready.then(
      () => {
        this.waiting = false;
        this.context.resume();
      },
      (error: unknown) => this.context.fail(error),
    );
  }

  async prepareCommit(epoch: number): Promise<readonly Uint8Array[]> {
    const prepared = this.writer.prepareCommit(epoch);
    const state = this.writer.snapshotState?.(epoch);
    if (state !== undefined) this.context.operatorState.list<unknown>(WRITER_STATE).update(state);
    const before = this.pending.flatMap((entry) => entry.committables);
    const committables = await prepared;
    if (this.committer === undefined) return [];
    if (committables.length > 0) this.pending.push({ epoch, committables });
    return [...before, ...committables].map(encodeValue);
  }

  async notifyCheckpointComplete(epoch: number): Promise<void> {
    const due = this.pending.filter((entry) => entry.epoch <= epoch);
    if (due.length === 0) return;
    this.pending = this.pending.filter((entry) => entry.epoch > epoch);
    await this.committer?.commit(due.flatMap((entry) => entry.committables));
  }

  async close(): Promise<void> {
    await this.writer.close();
    await this.committer?.close?.();
  }
}
