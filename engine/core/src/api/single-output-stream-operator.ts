/** The stream that an operator makes: a data stream, and the operator's settings. */
import type { OutputTag } from '../operators/output-tag.js';
import type { NodeDraft } from '../plan/draft.js';
import { DataStream } from './data-stream.js';
import type { JobBuilder } from './job-builder.js';
import { changeNode, changeOnError, changeSlotSharingGroup, type OnErrorPolicy } from './operator-settings.js';
import type { SlotSharingGroup } from './slot-sharing-group.js';
import { tapOf } from './tap.js';

/** An operator's main output. The methods below change the operator and return the stream. */
export class SingleOutputStreamOperator<T> extends DataStream<T> {
  readonly #node: NodeDraft;

  /** Internal: streams come from an environment and from other streams. */
  constructor(job: JobBuilder, node: NodeDraft) {
    super(job, [tapOf(node)]);
    this.#node = node;
  }

  /** Name in logs, metrics and `explain`. */
  name(name: string): this {
    changeNode(this.job, this.#node, { name });
    return this;
  }

  /**
   * The identity that the operator's state belongs to; unique in the job. Without one the identity comes from the operator's place in
   * the graph, and state may not be found again after an edit.
   */
  uid(uid: string): this {
    changeNode(this.job, this.#node, { uid });
    return this;
  }

  /** A longer text for `explain`. */
  setDescription(description: string): this {
    changeNode(this.job, this.#node, { description });
    return this;
  }

  /** Number of subtasks; default: the job's. */
  setParallelism(parallelism: number): this {
    changeNode(this.job, this.#node, { parallelism });
    return this;
  }

  /** Number of key groups, the upper bound of parallelism; fixed by the first checkpoint. */
  setMaxParallelism(maxParallelism: number): this {
    changeNode(this.job, this.#node, { maxParallelism });
    return this;
  }

  /** How long output may wait for a batch to fill, ms; 0: not at all, -1: until it is full. */
  setBufferTimeout(bufferTimeoutMs: number): this {
    changeNode(this.job, this.#node, { bufferTimeoutMs });
    return this;
  }

  /** Chains the operator to neither its input nor what follows. */
  disableChaining(): this {
    changeNode(this.job, this.#node, { chaining: 'never' });
    return this;
  }

  /** Starts a chain with this operator. */
  startNewChain(): this {
    changeNode(this.job, this.#node, { chaining: 'head' });
    return this;
  }

  /** Operators of different groups run in different slots; default: the group of the inputs. */
  slotSharingGroup(group: string | SlotSharingGroup): this {
    changeSlotSharingGroup(this.job, this.#node, group);
    return this;
  }

  /**
   * What happens to a record whose function throws: 'fail' (default), 'skip' (drop and count it), or a side output that receives it as a
   * `FailedRecord`, with the error's message. Nothing else of the record is left: results that the function had emitted for it are
   * dropped, its changes of state and timers are taken back. Functions that are called by a timer, or by a window that fires by the time,
   * have no record, and fail the job.
   * @example
   * const failed = new OutputTag<FailedRecord<string>>('failed');
   * const orders = lines.map((line) => JSON.parse(line) as Order).onError(failed);
   * orders.getSideOutput(failed).map(({ value, error }) => `${error}: ${value}`).print();
   */
  onError(policy: OnErrorPolicy): this {
    changeOnError(this.job, this.#node, policy);
    return this;
  }

  /** What the operator sent to a side output. */
  getSideOutput<S>(tag: OutputTag<S>): DataStream<S> {
    return this.job.streams.stream<S>(this.job, [tapOf(this.#node, tag.id)]);
  }
}
