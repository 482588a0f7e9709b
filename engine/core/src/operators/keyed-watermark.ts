/**
 * The watermark of a key: the larger of the live watermark and that which its key group had seen before a restore, so that
 * a late record never opens again a window that has fired.
 */
import { keyGroupOf } from '../common/hash.js';
import type { Key } from '../common/key.js';
import type { OperatorContext } from './operator.js';

export class KeyedWatermark {
  /** The watermark of this attempt; -Infinity before the first one. */
  live: number = Number.NEGATIVE_INFINITY;
  private restored: Float64Array | undefined;
  private restoredMax: number = Number.NEGATIVE_INFINITY;
  private readonly firstGroup: number;
  private readonly maxParallelism: number;

  private readonly context: OperatorContext;

  constructor(context: OperatorContext) {
    this.context = context;
    this.firstGroup = context.keyed.keyGroupRange.start;
    this.maxParallelism = context.keyed.maxParallelism;
  }

  /** To be called in the operator's `open`. */
  open(): void {
    const restored = this.context.restoredWatermarks;
    if (restored === undefined) return;
    for (const watermark of restored) this.restoredMax = Math.max(this.restoredMax, watermark);
    if (this.restoredMax > this.live) this.restored = restored;
  }

  /** False while some key group may be ahead of the live watermark. */
  get isUniform(): boolean {
    return this.restored === undefined;
  }

  of(key: Key): number {
    return this.restored === undefined ? this.live : Math.max(this.live, this.restoredOf(key));
  }

  /** What the key's group had seen before the restore; -Infinity once that no longer matters. */
  restoredOf(key: Key): number {
    if (this.restored === undefined) return Number.NEGATIVE_INFINITY;
    return this.restored[keyGroupOf(key, this.maxParallelism) - this.firstGroup] ?? Number.NEGATIVE_INFINITY;
  }

  /** To be called when everything up to the live watermark has fired. */
  settle(): void {
    if (this.live >= this.restoredMax) this.restored = undefined;
  }
}
