/**
 * A deterministic source: record i is `fn(i)`. Its splits are residue classes of the index (`next`, `next + step`, …), one per subtask,
 * so a position is one number, and another parallelism takes the classes over: fewer readers read several side by side, more readers
 * halve classes until each has one.
 */
import type { Clock, ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { Availability } from './availability.js';
import type {
  Boundedness,
  PollStatus,
  Source,
  SourceBatch,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
  SplitEnumeratorContext,
} from './source.js';
import { SpreadEnumerator, type StaticEnumeratorState } from './static-enumerator.js';

/** The indices next, next + step, … below `end`. */
export interface IndexSplit extends SourceSplit {
  readonly next: number;
  readonly end: number;
  readonly step: number;
}

/** Options of a {@link DataGeneratorSource}. */
export interface DataGeneratorOptions {
  /**
   * Records per second over all subtasks, divided evenly. Open loop: what back pressure held up is caught up, so record n of a subtask is
   * due n / rate after its start. Default: as fast as the job takes them.
   */
  readonly recordsPerSecond?: number;
}

/**
 * A source of `count` records, record i being `fn(i)`. `fn` must be deterministic: after a failure it is asked again.
 * `count` may be Infinity, which makes the source unbounded.
 * @example
 * new DataGeneratorSource((index) => ({ id: index, even: index % 2 === 0 }), 1_000_000, { recordsPerSecond: 50_000 });
 */
export class DataGeneratorSource<T> implements Source<T, IndexSplit, StaticEnumeratorState<IndexSplit>> {
  readonly boundedness: Boundedness;
  readonly recordCountEstimate: number;
  readonly #fn: (index: number) => T;
  readonly #first: number;
  readonly #recordsPerSecond: number | undefined;

  constructor(fn: (index: number) => T, count: number, options: DataGeneratorOptions = {}, first = 0) {
    requireThat(
      count === Number.POSITIVE_INFINITY || (Number.isSafeInteger(count) && count >= 0),
      `Cannot generate ${String(count)} records: the count must be an integer from 0, or Infinity. Pass such a count.`,
    );
    const rate = options.recordsPerSecond;
    requireThat(
      rate === undefined || (rate > 0 && Number.isFinite(rate)),
      `Cannot generate at recordsPerSecond ${String(rate)}: it must be a number above 0. Leave it out for full speed.`,
    );
    this.#fn = fn;
    this.#first = first;
    this.#recordsPerSecond = rate;
    this.recordCountEstimate = count;
    this.boundedness = count === Number.POSITIVE_INFINITY ? 'continuous-unbounded' : 'bounded';
  }

  createEnumerator(
    context: SplitEnumeratorContext<IndexSplit>,
    state: StaticEnumeratorState<IndexSplit> | undefined,
  ): SplitEnumerator<IndexSplit, StaticEnumeratorState<IndexSplit>> {
    const discover = (): IndexSplit[] =>
      Array.from({ length: context.parallelism }, (_, subtask) =>
        indexSplit(this.#first + subtask, this.#first + this.recordCountEstimate, context.parallelism),
      );
    return new SpreadEnumerator(context, discover, state, halveUntilEnough);
  }

  createReader(context: SourceReaderContext): SourceReader<T, IndexSplit> {
    const pace = this.#recordsPerSecond === undefined ? undefined : new Pace(context.clock, this.#recordsPerSecond / context.parallelism);
    return new IndexReader(this.#fn, pace);
  }
}

/**
 * A source of the integers from `from` to `to`, both included; Flink's fromSequence.
 * @example
 * env.fromSource(sequenceSource(1, 100), WatermarkStrategy.noWatermarks(), 'numbers');
 */
export function sequenceSource(from: number, to: number): DataGeneratorSource<number> {
  requireThat(
    Number.isSafeInteger(from) && Number.isSafeInteger(to) && from <= to,
    `Cannot generate the sequence from ${String(from)} to ${String(to)}: both must be integers, the first not above the second.`,
  );
  return new DataGeneratorSource((index) => index, to - from + 1, {}, from);
}

function requireThat(condition: boolean, message: string): void {
  if (!condition) throw new MillstreamError('INVALID_OPTION', message);
}

/** Ids sort in the order of the first index, and a class keeps its id while it is read. */
function indexSplit(next: number, end: number, step: number): IndexSplit {
  return { id: `index-${String(next).padStart(16, '0')}/${step}`, next, end, step };
}

/** Halves the class with the most records left until there is one for each reader. */
function halveUntilEnough(splits: readonly IndexSplit[], parallelism: number): readonly IndexSplit[] {
  const divided = splits.filter((split) => split.next < split.end);
  while (divided.length > 0 && divided.length < parallelism) {
    divided.sort((left, right) => remaining(right) - remaining(left));
    const largest = divided[0] as IndexSplit;
    if (remaining(largest) < 2) break;
    divided.splice(
      0,
      1,
      indexSplit(largest.next, largest.end, largest.step * 2),
      indexSplit(largest.next + largest.step, largest.end, largest.step * 2),
    );
  }
  return divided;
}

function remaining(split: IndexSplit): number {
  return (split.end - split.next) / split.step;
}

/** How many records are due, by the clock. */
class Pace {
  readonly #clock: Clock;
  readonly #recordsPerMs: number;
  #startedAt = Number.NaN;
  #emitted = 0;

  constructor(clock: Clock, recordsPerSecond: number) {
    this.#clock = clock;
    this.#recordsPerMs = recordsPerSecond / 1000;
  }

  /** Records that are due and not emitted yet. The first call starts the pace. */
  due(): number {
    const now = this.#clock.monotonic();
    if (Number.isNaN(this.#startedAt)) this.#startedAt = now;
    return Math.floor((now - this.#startedAt) * this.#recordsPerMs) + 1 - this.#emitted;
  }

  emitted(count: number): void {
    this.#emitted += count;
  }

  /** Rings when the next record is due. */
  ringWhenDue(availability: Availability): ScheduledCall {
    const dueAt = this.#startedAt + this.#emitted / this.#recordsPerMs;
    return this.#clock.schedule(Math.max(0, dueAt - this.#clock.monotonic()), () => availability.ring());
  }
}

interface OpenIndexSplit {
  readonly split: IndexSplit;
  next: number;
}

class IndexReader<T> implements SourceReader<T, IndexSplit> {
  readonly #fn: (index: number) => T;
  readonly #pace: Pace | undefined;
  readonly #availability = new Availability();
  readonly #open: OpenIndexSplit[] = [];
  #paused: ReadonlySet<string> = new Set();
  #noMoreSplits = false;
  #scheduled: ScheduledCall | undefined;

  constructor(fn: (index: number) => T, pace: Pace | undefined) {
    this.#fn = fn;
    this.#pace = pace;
  }

  start(): void {}

  addSplits(splits: readonly IndexSplit[]): void {
    for (const split of splits) this.#open.push({ split, next: split.next });
    this.#availability.ring();
  }

  notifyNoMoreSplits(): void {
    this.#noMoreSplits = true;
    this.#availability.ring();
  }

  poll(batch: SourceBatch<T>, limit: number): PollStatus {
    if (this.#open.length === 0) return this.#noMoreSplits ? 'end' : 'nothing';
    const open = this.#furthestBehind();
    if (open === undefined) return 'nothing';
    const { split } = open;
    const left = Math.max(0, Math.ceil((split.end - open.next) / split.step));
    let count = Math.min(limit, left);
    if (this.#pace !== undefined && count > 0) {
      const due = this.#pace.due();
      if (due <= 0) return 'nothing';
      count = Math.min(count, due);
      this.#pace.emitted(count);
    }
    batch.splitId = split.id;
    batch.count = count;
    batch.generate = this.#fn;
    batch.from = open.next;
    batch.to = open.next + count * split.step;
    batch.step = split.step;
    open.next = batch.to;
    if (count === left) {
      batch.splitFinished = true;
      this.#open.splice(this.#open.indexOf(open), 1);
    }
    return 'records';
  }

  /** Among several classes the lowest index goes first, so that they stay together. */
  #furthestBehind(): OpenIndexSplit | undefined {
    let found: OpenIndexSplit | undefined;
    for (const open of this.#open) {
      if (found !== undefined && open.next >= found.next) continue;
      if (this.#paused.size === 0 || !this.#paused.has(open.split.id)) found = open;
    }
    return found;
  }

  whenAvailable(): Promise<void> {
    if (this.#pace !== undefined && this.#furthestBehind() !== undefined) {
      this.#scheduled?.cancel();
      this.#scheduled = this.#pace.ringWhenDue(this.#availability);
    }
    return this.#availability.wait();
  }

  snapshotState(): IndexSplit[] {
    return this.#open.map(({ split, next }) => ({ ...split, next }));
  }

  pauseOrResumeSplits(paused: ReadonlySet<string>): void {
    this.#paused = new Set(paused);
    this.#availability.ring();
  }

  close(): void {
    this.#scheduled?.cancel();
  }
}
