/** The end of a stream: a sink with its settings. */
import type { NodeDraft } from '../plan/draft.js';
import type { JobBuilder } from './job-builder.js';
import { changeNode, changeSlotSharingGroup } from './operator-settings.js';
import type { SlotSharingGroup } from './slot-sharing-group.js';

/** A sink that was added to the job. Its methods change it and return it. */
export class DataStreamSink {
  readonly #job: JobBuilder;
  readonly #node: NodeDraft;

  /** Internal: use `stream.sinkTo(sink)`. */
  constructor(job: JobBuilder, node: NodeDraft) {
    this.#job = job;
    this.#node = node;
  }

  /** Name in logs, metrics and `explain`. */
  name(name: string): this {
    changeNode(this.#job, this.#node, { name });
    return this;
  }

  /** The identity that state belongs to; unique in the job. */
  uid(uid: string): this {
    changeNode(this.#job, this.#node, { uid });
    return this;
  }

  setDescription(description: string): this {
    changeNode(this.#job, this.#node, { description });
    return this;
  }

  setParallelism(parallelism: number): this {
    changeNode(this.#job, this.#node, { parallelism });
    return this;
  }

  setMaxParallelism(maxParallelism: number): this {
    changeNode(this.#job, this.#node, { maxParallelism });
    return this;
  }

  /** Keeps the sink out of chains. */
  disableChaining(): this {
    changeNode(this.#job, this.#node, { chaining: 'never' });
    return this;
  }

  slotSharingGroup(group: string | SlotSharingGroup): this {
    changeSlotSharingGroup(this.#job, this.#node, group);
    return this;
  }
}
