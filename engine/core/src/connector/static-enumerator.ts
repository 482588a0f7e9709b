/**
 * Enumerators for inputs whose splits are all known at the start.
 *
 *     PullEnumerator    a reader that has nothing left asks for the next split: work goes where there is time (files)
 *     SpreadEnumerator  every reader gets its share as soon as it registers, and reads its splits side by side (generators,
 *                       inputs whose splits have to move through event time together)
 *
 * Invariants: 1. a split is either pending here or with exactly one reader; 2. on a restore `discover` is not called: the splits are
 * those that were pending in the checkpoint plus those that readers had, which come through `addSplitsBack`; 3. splits given back wait
 * for a request or a registration after it.
 */
import type { SourceSplit, SplitEnumerator, SplitEnumeratorContext } from './source.js';

/** What a checkpoint holds of a static enumerator: the splits that no reader has yet. */
export interface StaticEnumeratorState<SplitT extends SourceSplit> {
  readonly pending: readonly SplitT[];
}

/** Finds all splits of the input; their order is the order in which they are handed out. */
export type DiscoverSplits<SplitT extends SourceSplit> = () => Promise<readonly SplitT[]> | readonly SplitT[];

/** Hands out one split per request, in order. */
export class PullEnumerator<SplitT extends SourceSplit> implements SplitEnumerator<SplitT, StaticEnumeratorState<SplitT>> {
  readonly #context: SplitEnumeratorContext<SplitT>;
  readonly #discover: DiscoverSplits<SplitT>;
  readonly #restored: boolean;
  #pending: SplitT[];

  constructor(
    context: SplitEnumeratorContext<SplitT>,
    discover: DiscoverSplits<SplitT>,
    restored: StaticEnumeratorState<SplitT> | undefined,
  ) {
    this.#context = context;
    this.#discover = discover;
    this.#restored = restored !== undefined;
    this.#pending = [...(restored?.pending ?? [])];
  }

  async start(): Promise<void> {
    if (!this.#restored) this.#pending = [...(await this.#discover())];
  }

  addReader(): void {}

  handleSplitRequest(subtaskIndex: number): void {
    const split = this.#pending.shift();
    if (split === undefined) this.#context.noMoreSplits(subtaskIndex);
    else this.#context.assign(split, subtaskIndex);
  }

  addSplitsBack(splits: readonly SplitT[]): void {
    this.#pending.unshift(...splits);
  }

  snapshotState(): StaticEnumeratorState<SplitT> {
    return { pending: [...this.#pending] };
  }

  close(): void {}
}

/**
 * Divides the pending splits among as many readers: at least one for each reader, in order, so that splits of about the same position
 * should stand next to each other.
 */
export type DivideSplits<SplitT extends SourceSplit> = (splits: readonly SplitT[], parallelism: number) => readonly SplitT[];

/** Gives split i of n to reader i modulo parallelism when that reader registers. */
export class SpreadEnumerator<SplitT extends SourceSplit> implements SplitEnumerator<SplitT, StaticEnumeratorState<SplitT>> {
  readonly #context: SplitEnumeratorContext<SplitT>;
  readonly #discover: DiscoverSplits<SplitT>;
  readonly #divide: DivideSplits<SplitT>;
  readonly #restored: boolean;
  #pending: SplitT[];
  /** Reader by split id; fixed when the first reader registers. */
  #owners: Map<string, number> | undefined;

  constructor(
    context: SplitEnumeratorContext<SplitT>,
    discover: DiscoverSplits<SplitT>,
    restored: StaticEnumeratorState<SplitT> | undefined,
    divide: DivideSplits<SplitT> = (splits) => splits,
  ) {
    this.#context = context;
    this.#discover = discover;
    this.#divide = divide;
    this.#restored = restored !== undefined;
    this.#pending = [...(restored?.pending ?? [])];
  }

  async start(): Promise<void> {
    if (!this.#restored) this.#pending = [...(await this.#discover())];
  }

  addReader(subtaskIndex: number): void {
    const owners = this.#fixOwners();
    const mine = this.#pending.filter((split) => owners.get(split.id) === subtaskIndex);
    this.#pending = this.#pending.filter((split) => owners.get(split.id) !== subtaskIndex);
    for (const split of mine) this.#context.assign(split, subtaskIndex);
    this.#context.noMoreSplits(subtaskIndex);
  }

  #fixOwners(): ReadonlyMap<string, number> {
    if (this.#owners === undefined) {
      this.#pending.sort((left, right) => (left.id < right.id ? -1 : 1));
      this.#pending = [...this.#divide(this.#pending, this.#context.parallelism)];
      this.#owners = new Map(this.#pending.map((split, index) => [split.id, index % this.#context.parallelism]));
    }
    return this.#owners;
  }

  handleSplitRequest(): void {}

  addSplitsBack(splits: readonly SplitT[]): void {
    this.#pending.push(...splits);
  }

  snapshotState(): StaticEnumeratorState<SplitT> {
    return { pending: [...this.#pending] };
  }

  close(): void {}
}
