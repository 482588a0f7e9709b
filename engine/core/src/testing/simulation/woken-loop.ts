/**
 * A loop that others wake by bumping a word in shared memory, run as events on virtual time: a slot's turns, an exchange's pumping. The
 * words are looked at between any two events.
 *
 *     step ─costs time─▶ step, at once or later ─▶ …        woken meanwhile: sooner
 */
import type { ScheduledCall } from '../../common/clock.js';
import type { ProcessClock } from './process-clock.js';
import type { SimulatedProcess, Woken } from './simulated-process.js';

/** From a notification to the moment when the thread runs, ms. */
const WAKE_MS = { least: 0.01, most: 0.2 };
/** A step costs at least this much, ms. */
const STEP_MS = { least: 0.02, most: 0.3 };

/** What a {@link WokenLoop} does. */
export interface WokenLoopOptions {
  readonly process: SimulatedProcess;
  readonly clock: ProcessClock;
  readonly words: Int32Array;
  readonly index: number;
  /** One step. Returns in how many ms the next one is wanted though nothing wakes the loop; undefined: the loop has ended. */
  readonly step: () => number | undefined;
}

/** See the head of this file. */
export class WokenLoop implements Woken {
  private readonly options: WokenLoopOptions;
  private seen: number;
  private busyUntil = 0;
  private next: { readonly at: number; readonly call: ScheduledCall } | undefined;
  private isStopped = false;

  constructor(options: WokenLoopOptions) {
    this.options = options;
    this.seen = Atomics.load(options.words, options.index);
    options.process.woken.add(this);
    this.within(this.draw(WAKE_MS));
  }

  poll(): void {
    const { words, index, clock } = this.options;
    if (clock.isDead) this.stop();
    if (this.isStopped || Atomics.load(words, index) === this.seen) return;
    this.seen = Atomics.load(words, index);
    this.within(Math.max(this.busyUntil - clock.monotonic(), 0) + this.draw(WAKE_MS));
  }

  stop(): void {
    this.isStopped = true;
    this.next?.call.cancel();
    this.options.process.woken.delete(this);
  }

  private draw({ least, most }: { readonly least: number; readonly most: number }): number {
    return this.options.process.between(least, most);
  }

  /** The next step comes within `delayMs`, unless it comes sooner anyway. */
  private within(delayMs: number): void {
    if (delayMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.options;
    const at = clock.monotonic() + delayMs;
    if (this.next !== undefined && this.next.at <= at) return;
    this.next?.call.cancel();
    this.next = { at, call: clock.schedule(delayMs, () => this.step()) };
  }

  private step(): void {
    const { clock, words, index, step } = this.options;
    this.next = undefined;
    // Before looking: what is published afterwards wakes the loop again.
    this.seen = Atomics.load(words, index);
    let wanted: number | undefined;
    clock.turn(() => {
      wanted = step();
    });
    if (wanted === undefined) {
      this.stop();
      return;
    }
    const costMs = this.draw(STEP_MS);
    this.busyUntil = clock.monotonic() + costMs;
    this.within(costMs + wanted);
  }
}
