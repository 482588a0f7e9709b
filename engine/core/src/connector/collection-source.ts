/** A source over an array of the program: one split, read by one subtask, its position the index of the next element. */
import { Availability } from './availability.js';
import type {
  PollStatus,
  Source,
  SourceBatch,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
  SplitEnumeratorContext,
} from './source.js';
import { PullEnumerator, type StaticEnumeratorState } from './static-enumerator.js';

/** The one split of a collection. */
export interface CollectionSplit extends SourceSplit {
  /** Index of the next element. */
  readonly next: number;
}

/** See {@link collectionSource}. */
export class CollectionSource<T> implements Source<T, CollectionSplit, StaticEnumeratorState<CollectionSplit>> {
  readonly boundedness = 'bounded';
  readonly recordCountEstimate: number;
  readonly #elements: readonly T[];

  constructor(elements: readonly T[]) {
    this.#elements = elements;
    this.recordCountEstimate = elements.length;
  }

  createEnumerator(
    context: SplitEnumeratorContext<CollectionSplit>,
    state: StaticEnumeratorState<CollectionSplit> | undefined,
  ): SplitEnumerator<CollectionSplit, StaticEnumeratorState<CollectionSplit>> {
    return new PullEnumerator(context, () => [{ id: 'collection', next: 0 }], state);
  }

  createReader(context: SourceReaderContext): SourceReader<T, CollectionSplit> {
    return new CollectionReader(context, this.#elements);
  }
}

/**
 * A source of the elements of an array, in order. Every slot evaluates the program again, so the array must come out the same each time.
 * @example
 * env.fromSource(collectionSource(['a', 'b']), WatermarkStrategy.noWatermarks(), 'letters');
 */
export function collectionSource<T>(elements: readonly T[]): CollectionSource<T> {
  return new CollectionSource(elements);
}

class CollectionReader<T> implements SourceReader<T, CollectionSplit> {
  readonly #context: SourceReaderContext;
  readonly #elements: readonly T[];
  readonly #availability = new Availability();
  #split: CollectionSplit | undefined;
  #next = 0;
  /** Where the last batch begins. */
  #batchStart = 0;
  #noMoreSplits = false;

  constructor(context: SourceReaderContext, elements: readonly T[]) {
    this.#context = context;
    this.#elements = elements;
  }

  start(): void {
    if (this.#split === undefined) this.#context.requestSplit();
  }

  addSplits(splits: readonly CollectionSplit[]): void {
    for (const split of splits) {
      this.#split = split;
      this.#next = split.next;
    }
    this.#availability.ring();
  }

  notifyNoMoreSplits(): void {
    this.#noMoreSplits = true;
    this.#availability.ring();
  }

  poll(batch: SourceBatch<T>, limit: number): PollStatus {
    const split = this.#split;
    if (split === undefined) return this.#noMoreSplits ? 'end' : 'nothing';
    const count = Math.min(limit, this.#elements.length - this.#next);
    for (let index = 0; index < count; index++) batch.values[index] = this.#elements[this.#next + index] as T;
    this.#batchStart = this.#next;
    this.#next += count;
    batch.splitId = split.id;
    batch.count = count;
    if (this.#next >= this.#elements.length) {
      batch.splitFinished = true;
      this.#split = undefined;
      this.#context.requestSplit();
    }
    return 'records';
  }

  describePosition(index: number): string {
    return `record ${this.#batchStart + index}`;
  }

  whenAvailable(): Promise<void> {
    return this.#availability.wait();
  }

  snapshotState(): CollectionSplit[] {
    return this.#split === undefined ? [] : [{ ...this.#split, next: this.#next }];
  }

  close(): void {}
}
