/**
 * The sink behind `executeAndCollect`: sends records to the coordinator when the checkpoint that covers them is complete. A recovery
 * commits the checkpoint that it restores again, so what is sent has a name, and the receiver takes each name once.
 */
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
  private readonly taken = new Set<string>();

  /** The records of a part; none if it came before. */
  take(nodeId: string, part: Uint8Array): readonly unknown[] {
    const { name, values } = decodeValue(part) as CollectedPart;
    const key = `${nodeId}:${name}`;
    if (this.taken.has(key)) return [];
    this.taken.add(key);
    return values;
  }
}

export function collectImplementation(send: (values: Uint8Array) => void): OperatorImplementation {
  const sink: Sink<unknown, unknown, unknown> = {
    createWriter: ({ subtaskIndex }) => new CollectWriter(subtaskIndex),
    createCommitter: (): SinkCommitter<unknown> => ({
      commit: async (committables) => {
        for (const part of committables) send(encodeValue(part));
      },
    }),
  };
  return { type: 'sink', sink };
}

class CollectWriter implements SinkWriter<unknown, unknown, unknown> {
  private readonly subtaskIndex: number;
  private values: unknown[] = [];

  constructor(subtaskIndex: number) {
    this.subtaskIndex = subtaskIndex;
  }

  write(value: unknown): void {
    this.values.push(value);
  }

  async prepareCommit(epoch: number): Promise<readonly unknown[]> {
    const { values } = this;
    this.values = [];
    const part: CollectedPart = { name: `${epoch}/${this.subtaskIndex}`, values };
    return values.length === 0 ? [] : [part];
  }

  close(): void {}
}
