/**
 * A source that leaves traces for who kills its process: where each reader began, how far it has come, when it was asked for its state. What
 * was written is there after `kill -9`. It is paced until a file appears, and then reads as fast as it can.
 *
 *     <traces>/readers/<subtask>-<n>    a reader's ReaderProgress, written over again and again
 *     <traces>/barriers/<subtask>       one byte longer with each barrier
 *     <traces>/outputs/first-<n>        when an attempt's first line left an operator (FirstOutput)
 */
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import type { KeyedProcessContext } from 'millstream';
import type { PollStatus, Source, SourceBatch, SourceReader, SourceReaderContext, SourceSplit } from 'millstream/connector';

/** A split whose position is the index of its next record: of a DataGeneratorSource. */
interface PositionedSplit extends SourceSplit {
  readonly next: number;
  readonly step: number;
}

/** Times are ms since 1970. */
export interface ReaderProgress {
  readonly subtask: number;
  readonly openedAt: number;
  /** Of its last records. */
  readonly emittedAt: number;
  /** By split: the index of the first record that it emits, and of the next one after those that it has emitted. */
  readonly splits: Readonly<Record<string, { readonly first: number; readonly next: number; readonly step: number }>>;
}

export interface Pace {
  /** Of all subtasks together. */
  readonly recordsPerSecond: number;
  /** When this file is there, as fast as possible. */
  readonly until: string;
  /** Records of a lower index are not paced. Default 0. */
  readonly from?: number;
}

/** More than a ReaderProgress needs: each is written over the one before. */
const PROGRESS_BYTES = 1000;
const PAUSE_MS = 5;

export function progressSource<T, SplitT extends PositionedSplit, StateT>(
  source: Source<T, SplitT, StateT>,
  traces: string,
  pace: Pace,
): Source<T, SplitT, StateT> {
  return {
    boundedness: source.boundedness,
    createEnumerator: (context, state) => source.createEnumerator(context, state),
    createReader: (context) => new ProgressReader(source.createReader(context), context, traces, pace),
  };
}

/** A new file with the first free number behind its name. */
function openTrace(directory: string, name: string): number {
  mkdirSync(directory, { recursive: true });
  for (let number = 0; ; number++) {
    try {
      return openSync(`${directory}/${name}-${number}`, 'wx');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Leaves when an attempt's first line left an operator: <traces>/outputs/first-<n>. */
export class FirstOutput {
  private readonly traces: string;
  private isNoted = false;

  constructor(traces: string) {
    this.traces = traces;
  }

  /** Every record calls it; the first call counts. */
  note(context: KeyedProcessContext<unknown>): void {
    if (this.isNoted) return;
    this.isNoted = true;
    const trace = openTrace(`${this.traces}/outputs`, 'first');
    writeSync(trace, `${context.timerService().currentProcessingTime()}`);
    closeSync(trace);
  }
}

class ProgressReader<T, SplitT extends PositionedSplit> implements SourceReader<T, SplitT> {
  readonly #reader: SourceReader<T, SplitT>;
  readonly #context: SourceReaderContext;
  readonly #traces: string;
  readonly #pace: Pace;
  readonly #file: number;
  readonly #openedAt: number;
  readonly #splits: Record<string, { first: number; next: number; step: number }> = {};
  #startedAt = Number.NaN;
  #emitted = 0;
  #isReleased = false;
  /** The last `poll` did not ask the reader. */
  #isPaused = false;

  constructor(reader: SourceReader<T, SplitT>, context: SourceReaderContext, traces: string, pace: Pace) {
    this.#reader = reader;
    this.#context = context;
    this.#traces = traces;
    this.#pace = pace;
    this.#openedAt = context.clock.now();
    mkdirSync(`${traces}/barriers`, { recursive: true });
    this.#file = openTrace(`${traces}/readers`, `${context.subtaskIndex}`);
  }

  start(): void {
    this.#reader.start();
  }

  addSplits(splits: readonly SplitT[]): void {
    for (const { id, next, step } of splits) this.#splits[id] = { first: next, next, step };
    this.#reader.addSplits(splits);
  }

  notifyNoMoreSplits(): void {
    this.#reader.notifyNoMoreSplits();
  }

  poll(batch: SourceBatch<T>, limit: number): PollStatus {
    const due = this.#due();
    this.#isPaused = due <= 0;
    if (this.#isPaused) return 'nothing';
    const status = this.#reader.poll(batch, Math.min(limit, due));
    if (status !== 'records') return status;
    if (!this.#isBeforePace()) this.#emitted += batch.count;
    const split = this.#splits[batch.splitId];
    if (split !== undefined) split.next = batch.to;
    this.#write();
    return status;
  }

  #due(): number {
    const { clock, parallelism } = this.#context;
    if (this.#isBeforePace()) return Number.MAX_SAFE_INTEGER;
    if (Number.isNaN(this.#startedAt)) this.#startedAt = clock.monotonic();
    const due = Math.floor(((clock.monotonic() - this.#startedAt) * this.#pace.recordsPerSecond) / parallelism / 1000) - this.#emitted;
    if (due <= 0 && !this.#isReleased) this.#isReleased = existsSync(this.#pace.until);
    return this.#isReleased ? Number.MAX_SAFE_INTEGER : due;
  }

  #isBeforePace(): boolean {
    const { from = 0 } = this.#pace;
    return from > 0 && Object.values(this.#splits).some(({ next }) => next < from);
  }

  #write(): void {
    const { clock, subtaskIndex } = this.#context;
    const progress: ReaderProgress = {
      subtask: subtaskIndex,
      openedAt: this.#openedAt,
      emittedAt: clock.now(),
      splits: this.#splits,
    };
    writeSync(this.#file, JSON.stringify(progress).padEnd(PROGRESS_BYTES), 0);
  }

  whenAvailable(): Promise<void> {
    if (!this.#isPaused) return this.#reader.whenAvailable();
    return new Promise((resolve) => {
      this.#context.clock.schedule(PAUSE_MS, resolve);
    });
  }

  snapshotState(): SplitT[] {
    appendFileSync(`${this.#traces}/barriers/${this.#context.subtaskIndex}`, '.');
    return this.#reader.snapshotState();
  }

  close(): Promise<void> | void {
    closeSync(this.#file);
    return this.#reader.close();
  }
}
