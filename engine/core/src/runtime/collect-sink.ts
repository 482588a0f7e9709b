/**
 * The sink behind `executeAndCollect`: sends records to the coordinator when the checkpoint that covers them is complete. A recovery
 * commits the checkpoint that it restores again, so what is sent has a name, and the receiver takes each name once.
 *
 * Where only some records are wanted it asks for a checkpoint as soon as it has them: an unbounded job ends then, with or without
 * periodic checkpoints.
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import type { Sink, SinkCommitter, SinkWriter } from '../connector/sink.js';
import type { OperatorImplementation } from '../operators/operator.js';
import { decodeValue, encodeValue } from './operator-state.js';

/** The records of one subtask between two barriers. */
interface CollectedPart {
  /** Unique in the run: epochs never repeat. */
  readonly name: string;
  readonly values: readonly unknown[];
}

/** The receiving end, one for a run. */
export class CollectedParts {
  private readonly classes: ClassRegistry | undefined;
  private readonly taken = new Set<string>();

  /** `classes`: those whose instances may be in records. */
  constructor(classes: ClassRegistry | undefined) {
    this.classes = classes;
  }

  /** The records of a part; none if it came before. */
  take(nodeId: string, part: Uint8Array): readonly unknown[] {
    const { name, values } = decodeValue(part, this.classes) as CollectedPart;
    const key = `${nodeId}:${name}`;
    if (this.taken.has(key)) return [];
    this.taken.add(key);
    return values;
  }
}

/** How the sink reaches the coordinator. */
export interface CollectOptions {
  readonly send: (values: Uint8Array) => void;
  /** Records that are wanted; Infinity: all. */
  readonly limit: number;
  readonly requestCheckpoint: () => void;
  /** Those whose instances may be in records. */
  readonly classes: ClassRegistry | undefined;
}

export function collectImplementation(options: CollectOptions): OperatorImplementation {
  const { send, classes } = options;
  const sink: Sink<unknown, unknown, unknown> = {
    createWriter: ({ subtaskIndex, restoredCommittables }) =>
      new CollectWriter(subtaskIndex, restoredCommittables as readonly CollectedPart[], options),
    createCommitter: (): SinkCommitter<unknown> => ({
      commit: async (committables) => {
        for (const part of committables) send(encodeValue(part, classes));
      },
    }),
  };
  return { type: 'sink', sink };
}

class CollectWriter implements SinkWriter<unknown, unknown, unknown> {
  private readonly subtaskIndex: number;
  private readonly options: CollectOptions;
  private values: unknown[] = [];
  /** Records that the receiver will have of this attempt and the checkpoint that it began with. Of older ones it may have more. */
  private collected: number;

  constructor(subtaskIndex: number, restored: readonly CollectedPart[], options: CollectOptions) {
    this.subtaskIndex = subtaskIndex;
    this.options = options;
    this.collected = restored.reduce((sum, { values }) => sum + values.length, 0);
  }

  write(value: unknown): void {
    this.values.push(value);
    if (++this.collected === this.options.limit) this.options.requestCheckpoint();
  }

  async prepareCommit(epoch: number): Promise<readonly unknown[]> {
    const { values } = this;
    this.values = [];
    const part: CollectedPart = { name: `${epoch}/${this.subtaskIndex}`, values };
    return values.length === 0 ? [] : [part];
  }

  close(): void {}
}
