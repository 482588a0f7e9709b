/**
 * A source whose last records wait for a file, so that a test can do something in mid-run however fast or slow the machine is.
 */
import { existsSync } from 'node:fs';
import type { PollStatus, Source, SourceBatch, SourceReader, SourceReaderContext, SourceSplit } from 'millstream/connector';

/** How often the file is looked for, ms. */
const LOOK_MS = 5;

/** `source`, whose readers together emit `free` records before `file` is there; undefined: all. */
export function heldSource<T, SplitT extends SourceSplit, StateT>(
  source: Source<T, SplitT, StateT>,
  free: number,
  file: string | undefined,
): Source<T, SplitT, StateT> {
  if (file === undefined) return source;
  return {
    boundedness: source.boundedness,
    createEnumerator: (context, state) => source.createEnumerator(context, state),
    createReader: (context) => new HeldReader(source.createReader(context), context, Math.floor(free / context.parallelism), file),
  };
}

class HeldReader<T, SplitT extends SourceSplit> implements SourceReader<T, SplitT> {
  readonly #reader: SourceReader<T, SplitT>;
  readonly #context: SourceReaderContext;
  readonly #file: string;
  #free: number;
  #isReleased = false;
  /** The last `poll` did not ask the reader. */
  #wasHeld = false;

  constructor(reader: SourceReader<T, SplitT>, context: SourceReaderContext, free: number, file: string) {
    this.#reader = reader;
    this.#context = context;
    this.#free = free;
    this.#file = file;
  }

  #isHeld(): boolean {
    if (!this.#isReleased && this.#free <= 0) this.#isReleased = existsSync(this.#file);
    return !this.#isReleased && this.#free <= 0;
  }

  start(): void {
    this.#reader.start();
  }

  addSplits(splits: readonly SplitT[]): void {
    this.#reader.addSplits(splits);
  }

  notifyNoMoreSplits(): void {
    this.#reader.notifyNoMoreSplits();
  }

  poll(batch: SourceBatch<T>, limit: number): PollStatus {
    this.#wasHeld = this.#isHeld();
    if (this.#wasHeld) return 'nothing';
    const status = this.#reader.poll(batch, this.#isReleased ? limit : Math.min(limit, this.#free));
    this.#free -= batch.count;
    return status;
  }

  describePosition(index: number): string {
    return this.#reader.describePosition?.(index) ?? `record ${index} of the batch`;
  }

  whenAvailable(): Promise<void> {
    // Not whether it is held now: the reader has nothing to say of what it was not asked for.
    if (!this.#wasHeld) return this.#reader.whenAvailable();
    return new Promise((resolve) => {
      this.#context.clock.schedule(LOOK_MS, resolve);
    });
  }

  snapshotState(): SplitT[] {
    return this.#reader.snapshotState();
  }

  close(): Promise<void> | void {
    return this.#reader.close();
  }
}
