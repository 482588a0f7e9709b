/**
 * The sink behind `executeAndCollect`: sends records to the coordinator when the checkpoint that covers them is complete, so that a
 * restart repeats none.
 */
import type { Sink, SinkCommitter, SinkWriter } from '../connector/sink.js';
import type { OperatorImplementation } from '../operators/operator.js';
import { encodeValue } from './operator-state.js';

export function collectImplementation(send: (values: Uint8Array) => void): OperatorImplementation {
  const sink: Sink<unknown, unknown, unknown> = {
    createWriter: () => new CollectWriter(),
    createCommitter: (): SinkCommitter<unknown> => ({
      commit: async (committables) => {
        for (const values of committables) send(encodeValue(values));
      },
    }),
  };
  return { type: 'sink', sink };
}

class CollectWriter implements SinkWriter<unknown, unknown, unknown> {
  private values: unknown[] = [];

  write(value: unknown): void {
    this.values.push(value);
  }

  async prepareCommit(): Promise<readonly unknown[]> {
    const { values } = this;
    this.values = [];
    return values.length === 0 ? [] : [values];
  }

  close(): void {}
}
