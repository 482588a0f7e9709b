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
  readonly committables: Promise<readonly unknown[]>;
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

  /** Resolves with everything that is not known to be committed, oldest first. */
  async prepareCommit(epoch: number): Promise<readonly Uint8Array[]> {
    const prepared = this.writer.prepareCommit(epoch);
    const state = this.writer.snapshotState?.(epoch);
    if (state !== undefined) this.context.operatorState.list<unknown>(WRITER_STATE).update(state);
    if (this.committer === undefined) {
      await prepared;
      return [];
    }
    this.pending.push({ epoch, committables: prepared });
    const committables = await Promise.all(this.pending.map((entry) => entry.committables));
    return committables.flat().map((committable) => encodeValue(committable, this.context.classes));
  }

  /** What is being committed stays pending until it is: a checkpoint that is taken meanwhile must name it. */
  async notifyCheckpointComplete(epoch: number): Promise<void> {
    const due = this.pending.filter((entry) => entry.epoch <= epoch);
    const committables = (await Promise.all(due.map((entry) => entry.committables))).flat();
    if (committables.length > 0) await this.committer?.commit(committables);
    this.pending = this.pending.filter((entry) => !due.includes(entry));
  }

  async close(): Promise<void> {
    await this.writer.close();
    await this.committer?.close?.();
  }
}
