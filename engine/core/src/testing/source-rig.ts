/**
 * Runs a source without a job: enumerator and readers in one process, driven poll by poll, so that a test can stop anywhere, take a
 * snapshot and go on from it at another parallelism.
 *
 *     rig.poll(subtask) … rig.snapshot() … SourceRig.start(source, { restored: snapshot, parallelism: other })
 *
 * Snapshots are cloned as structured data, so a split that is not plain data shows.
 */
import { type Clock, systemClock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { seededRandom } from '../common/random.js';
import type { PollStatus, Source, SourceBatch, SourceReader, SourceSplit, SplitEnumerator } from '../connector/source.js';

/** What a checkpoint holds of a source. */
export interface SourceSnapshot<SplitT extends SourceSplit, StateT> {
  readonly enumerator: StateT;
  /** The splits of each reader. */
  readonly readers: readonly (readonly SplitT[])[];
}

/** How a {@link SourceRig} starts. */
export interface SourceRigOptions<SplitT extends SourceSplit, StateT> {
  /** Default: 1. */
  readonly parallelism?: number;
  readonly clock?: Clock;
  readonly disk?: Disk;
  readonly restored?: SourceSnapshot<SplitT, StateT>;
}

/** One record as it left the source. */
export interface RigRecord<T> {
  readonly subtask: number;
  readonly split: string;
  readonly value: T;
}

/** A source that is run poll by poll. */
export class SourceRig<T, SplitT extends SourceSplit, StateT> {
  /** Everything that was polled, in order. */
  readonly records: RigRecord<T>[] = [];
  /** `details` of every reported error. */
  readonly reported: string[] = [];
  /** Splits whose last record has been polled. */
  readonly finishedSplits: string[] = [];
  readonly readers: readonly SourceReader<T, SplitT>[];
  readonly #enumerator: SplitEnumerator<SplitT, StateT>;
  readonly #ended: Set<number> = new Set();
  #started = false;
  readonly #requests: number[] = [];

  private constructor(source: Source<T, SplitT, StateT>, options: SourceRigOptions<SplitT, StateT>) {
    const { parallelism = 1, clock = systemClock, disk = new MemoryDisk(), restored } = options;
    this.#enumerator = source.createEnumerator(
      {
        parallelism,
        clock,
        disk,
        assign: (split, subtask) => this.#reader(subtask).addSplits([split]),
        noMoreSplits: (subtask) => this.#reader(subtask).notifyNoMoreSplits(),
        fail: (error) => {
          throw error;
        },
      },
      structuredClone(restored?.enumerator),
    );
    this.readers = Array.from({ length: parallelism }, (_, subtaskIndex) =>
      source.createReader({
        subtaskIndex,
        parallelism,
        clock,
        random: seededRandom(subtaskIndex),
        disk,
        requestSplit: () => this.#request(subtaskIndex),
        reportError: (_error, details) => this.reported.push(details),
      }),
    );
  }

  static async start<T, SplitT extends SourceSplit, StateT>(
    source: Source<T, SplitT, StateT>,
    options: SourceRigOptions<SplitT, StateT> = {},
  ): Promise<SourceRig<T, SplitT, StateT>> {
    const rig = new SourceRig(source, options);
    await rig.#enumerator.start();
    if (options.restored !== undefined) rig.#enumerator.addSplitsBack(structuredClone(options.restored.readers.flat()) as SplitT[]);
    rig.#started = true;
    for (const [subtask, reader] of rig.readers.entries()) {
      rig.#enumerator.addReader(subtask);
      reader.start();
    }
    for (const subtask of rig.#requests) rig.#enumerator.handleSplitRequest(subtask);
    return rig;
  }

  #reader(subtask: number): SourceReader<T, SplitT> {
    return this.readers[subtask] as SourceReader<T, SplitT>;
  }

  #request(subtask: number): void {
    if (this.#started) this.#enumerator.handleSplitRequest(subtask);
    else this.#requests.push(subtask);
  }

  /** Polls a reader once and keeps what it found. */
  poll(subtask: number, limit = 16): PollStatus {
    const batch: SourceBatch<T> = {
      splitId: '',
      values: [],
      count: 0,
      hasTimestamps: false,
      timestamps: new Float64Array(limit),
      generate: undefined,
      from: 0,
      to: 0,
      step: 1,
      splitFinished: false,
    };
    const status = this.#reader(subtask).poll(batch, limit);
    if (status === 'end') this.#ended.add(subtask);
    if (status !== 'records') return status;
    if (batch.count > limit) throw new RangeError(`The reader put ${batch.count} records into a batch of ${limit}.`);
    for (let index = 0; index < batch.count; index++) {
      const value = batch.generate === undefined ? (batch.values[index] as T) : batch.generate(batch.from + index * batch.step);
      this.records.push({ subtask, split: batch.splitId, value });
    }
    if (batch.splitFinished) this.finishedSplits.push(batch.splitId);
    return status;
  }

  /** Polls until there are records or the end, waiting where the reader says so. */
  async pollAvailable(subtask: number, limit?: number): Promise<PollStatus> {
    for (;;) {
      const status = this.poll(subtask, limit);
      if (status !== 'nothing') return status;
      await this.#reader(subtask).whenAvailable();
    }
  }

  /** Polls all readers in turn until all have ended, and returns the values. */
  async drain(limit?: number): Promise<T[]> {
    while (this.#ended.size < this.readers.length) {
      for (const subtask of this.readers.keys()) {
        if (!this.#ended.has(subtask)) await this.pollAvailable(subtask, limit);
      }
    }
    await this.close();
    return this.values();
  }

  values(): T[] {
    return this.records.map(({ value }) => value);
  }

  snapshot(): SourceSnapshot<SplitT, StateT> {
    return structuredClone({
      enumerator: this.#enumerator.snapshotState(),
      readers: this.readers.map((reader) => reader.snapshotState()),
    });
  }

  async close(): Promise<void> {
    this.#enumerator.close();
    for (const reader of this.readers) await reader.close();
  }
}

/**
 * Runs a source with interruptions: after each of `stops` polls it takes a snapshot, throws everything away and goes on at the next
 * parallelism. Returns all values; those of an exact source are its records, each once.
 */
export async function runInterrupted<T, SplitT extends SourceSplit, StateT>(
  source: Source<T, SplitT, StateT>,
  stops: readonly { readonly polls: number; readonly parallelism: number; readonly limit: number }[],
  options: Pick<SourceRigOptions<SplitT, StateT>, 'clock' | 'disk'> = {},
): Promise<T[]> {
  const values: T[] = [];
  let restored: SourceSnapshot<SplitT, StateT> | undefined;
  for (const { polls, parallelism, limit } of stops) {
    const rig = await SourceRig.start(source, { ...options, parallelism, ...(restored === undefined ? {} : { restored }) });
    for (let poll = 0; poll < polls; poll++) await rig.pollAvailable(poll % parallelism, limit);
    restored = rig.snapshot();
    values.push(...rig.values());
    await rig.close();
  }
  const rest = await SourceRig.start(source, { ...options, ...(restored === undefined ? {} : { restored }) });
  values.push(...(await rest.drain()));
  return values;
}
