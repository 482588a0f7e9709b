/** A source that tells when its subtasks read their first record and when they had no more. Costs one call a batch. */
import type {
  PollStatus,
  Source,
  SourceBatch,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
  SplitEnumeratorContext,
} from 'millstream/connector';
import { processCpuMs, writeFigures } from './figures.js';
import { sharedNowMs } from './shared-clock.js';

export class ProbedSource<T, SplitT extends SourceSplit, StateT> implements Source<T, SplitT, StateT> {
  readonly boundedness: Source<T, SplitT, StateT>['boundedness'];
  readonly recordCountEstimate: number;
  readonly #source: Source<T, SplitT, StateT>;
  readonly #directory: string;
  readonly #onStart: (atMs: number) => void;

  /** `onStart` is called in the subtask's thread, just before it reads its first record. */
  constructor(source: Source<T, SplitT, StateT>, records: number, directory: string, onStart: (atMs: number) => void = () => {}) {
    this.#source = source;
    this.#directory = directory;
    this.#onStart = onStart;
    this.boundedness = source.boundedness;
    this.recordCountEstimate = records;
  }

  createEnumerator(context: SplitEnumeratorContext<SplitT>, state: StateT | undefined): SplitEnumerator<SplitT, StateT> {
    return this.#source.createEnumerator(context, state);
  }

  createReader(context: SourceReaderContext): SourceReader<T, SplitT> {
    return new ProbedReader(this.#source.createReader(context), `source-${context.subtaskIndex}`, this.#directory, this.#onStart);
  }
}

class ProbedReader<T, SplitT extends SourceSplit> implements SourceReader<T, SplitT> {
  readonly #reader: SourceReader<T, SplitT>;
  readonly #name: string;
  readonly #directory: string;
  readonly #onStart: (atMs: number) => void;
  #hasSplits = false;
  #started = false;

  constructor(reader: SourceReader<T, SplitT>, name: string, directory: string, onStart: (atMs: number) => void) {
    this.#reader = reader;
    this.#name = name;
    this.#directory = directory;
    this.#onStart = onStart;
  }

  poll(batch: SourceBatch<T>, limit: number): PollStatus {
    if (!this.#started && this.#hasSplits) this.#start();
    const status = this.#reader.poll(batch, limit);
    if (status === 'end') writeFigures(this.#directory, `${this.#name}-end`, { atMs: sharedNowMs() });
    return status;
  }

  #start(): void {
    this.#started = true;
    writeFigures(this.#directory, `${this.#name}-first`, { atMs: sharedNowMs(), pid: process.pid, cpuMs: processCpuMs() });
    this.#onStart(sharedNowMs());
  }

  start(): void {
    this.#reader.start();
  }

  addSplits(splits: readonly SplitT[]): void {
    this.#hasSplits = true;
    this.#reader.addSplits(splits);
  }

  notifyNoMoreSplits(): void {
    this.#reader.notifyNoMoreSplits();
  }

  whenAvailable(): Promise<void> {
    return this.#reader.whenAvailable();
  }

  snapshotState(): SplitT[] {
    return this.#reader.snapshotState();
  }

  pauseOrResumeSplits(paused: ReadonlySet<string>): void {
    this.#reader.pauseOrResumeSplits?.(paused);
  }

  close(): Promise<void> | void {
    return this.#reader.close();
  }
}
