/** A binary min-heap of numbers in typed memory. Source: J. W. J. Williams, "Algorithm 232 - Heapsort", 1964. */
export class TimeHeap {
  size = 0;
  private times: Float64Array = new Float64Array(16);

  /** The smallest; Infinity if there is none. */
  peek(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : (this.times[0] as number);
  }

  push(time: number): void {
    if (this.size === this.times.length) {
      const next = new Float64Array(this.size * 2);
      next.set(this.times);
      this.times = next;
    }
    const times = this.times;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = times[parent] as number;
      if (above <= time) break;
      times[at] = above;
      at = parent;
    }
    times[at] = time;
  }

  /** Removes the smallest; there must be one. */
  pop(): void {
    const last = this.times[--this.size] as number;
    if (this.size > 0) this.sink(0, last);
  }

  private sink(start: number, time: number): void {
    const { times, size } = this;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && (times[child + 1] as number) < (times[child] as number)) child++;
      const below = times[child] as number;
      if (below >= time) break;
      times[at] = below;
      at = child;
    }
    times[at] = time;
  }

  /** Keeps only what `keep` wants. Source of building bottom-up: R. W. Floyd, "Algorithm 245 - Treesort 3", 1964. */
  retain(keep: (time: number) => boolean): void {
    const { times } = this;
    let kept = 0;
    for (let at = 0; at < this.size; at++) if (keep(times[at] as number)) times[kept++] = times[at] as number;
    this.size = kept;
    for (let at = (kept >> 1) - 1; at >= 0; at--) this.sink(at, times[at] as number);
  }
}
