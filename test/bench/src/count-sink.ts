/**
 * Discards records; keeps their number, a 32-bit checksum (the sum of a hash, modulo 2^32, so that order does not matter) and, where
 * asked, how late they are. Number and checksum are the writer's state: after a restore they go on from the checkpoint, so that they
 * are right at the end only if every record counted exactly once.
 */
import type { Sink, SinkWriter, SinkWriterContext } from 'millstream/connector';
import { writeFigures } from './figures.js';
import { Histogram } from './histogram.js';
import { sharedNowMs } from './shared-clock.js';

export interface CountSinkOptions<T> {
  readonly directory: string;
  /** The {@link sharedNowMs} at which the record was due at the source; the sink then keeps latencies. */
  readonly due?: ((record: T) => number) | undefined;
}

interface CountState {
  readonly count: number;
  readonly checksum: number;
}

export class CountSink<T> implements Sink<T, never, CountState> {
  readonly #hash: (record: T) => number;
  readonly #options: CountSinkOptions<T>;

  /** `hash` returns an int32. */
  constructor(hash: (record: T) => number, options: CountSinkOptions<T>) {
    this.#hash = hash;
    this.#options = options;
  }

  createWriter(context: SinkWriterContext, restored: readonly CountState[]): SinkWriter<T, never, CountState> {
    return new CountWriter(this.#hash, this.#options, context.subtaskIndex, restored);
  }
}

class CountWriter<T> implements SinkWriter<T, never, CountState> {
  readonly #hash: (record: T) => number;
  readonly #due: ((record: T) => number) | undefined;
  readonly #directory: string;
  readonly #subtask: number;
  readonly #latencies: Histogram | undefined;
  #count = 0;
  #checksum = 0;
  #lastRecordMs: number = sharedNowMs();

  constructor(hash: (record: T) => number, options: CountSinkOptions<T>, subtask: number, restored: readonly CountState[]) {
    this.#hash = hash;
    this.#due = options.due;
    this.#directory = options.directory;
    this.#subtask = subtask;
    this.#latencies = options.due === undefined ? undefined : new Histogram();
    for (const state of restored) {
      this.#count += state.count;
      this.#checksum = (this.#checksum + state.checksum) | 0;
    }
  }

  write(record: T): void {
    this.#count++;
    this.#checksum = (this.#checksum + this.#hash(record)) | 0;
    if (this.#due !== undefined) this.#latencies!.record(sharedNowMs() - this.#due(record));
  }

  ready(): undefined {
    this.#lastRecordMs = sharedNowMs();
  }

  async prepareCommit(): Promise<readonly never[]> {
    return [];
  }

  snapshotState(): readonly CountState[] {
    return [{ count: this.#count, checksum: this.#checksum }];
  }

  close(): void {
    writeFigures(this.#directory, `sink-${this.#subtask}`, {
      count: this.#count,
      checksum: this.#checksum,
      lastRecordMs: this.#lastRecordMs,
      latencies: this.#latencies?.entries(),
    });
  }
}
