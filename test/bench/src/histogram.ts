/** Latencies in buckets of a tenth of a millisecond up to 20 s; the same as the Flink peer's. */

const BUCKETS = 200_001;
const BUCKETS_PER_MS = 10;

export class Histogram {
  readonly #counts: Uint32Array = new Uint32Array(BUCKETS);

  record(ms: number): void {
    const bucket = Math.max(0, Math.min(BUCKETS - 1, Math.floor(ms * BUCKETS_PER_MS)));
    this.#counts[bucket]!++;
  }

  get total(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** The lower end of the bucket in which the quantile lies, ms. */
  quantile(q: number): number {
    const { total } = this;
    if (total === 0) throw new Error(`Cannot tell quantile ${q}: nothing was recorded.`);
    const wanted = Math.ceil(q * total);
    let seen = 0;
    let bucket = -1;
    while (seen < wanted || bucket < 0) seen += this.#counts[++bucket]!;
    return bucket / BUCKETS_PER_MS;
  }

  /** The buckets that are not empty. */
  entries(): [bucket: number, count: number][] {
    const entries: [number, number][] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) entries.push([bucket, count]);
    });
    return entries;
  }

  addAll(entries: Iterable<readonly [bucket: number, count: number]>): void {
    for (const [bucket, count] of entries) this.#counts[bucket]! += count;
  }
}
