/**
 * Drives an exchange: pumps when a slot has bumped the wake word of the TaskManager's main thread. A driver, and not logic.
 *
 *     asleep (waitAsync) ──word──▶ pump ─▶ event loop ─▶ pump ─▶ …
 *        ▲                          │ under load: event loop ─▶ nap, pump ─▶ …
 *        └── nothing to move, or ───┘
 *            some naps in vain
 *
 * A sleep with Atomics.waitAsync and its end cost about 25 µs of CPU time here, and some for the slot that notifies; a turn of the event
 * loop and a write cost about as much as the frame that they move. Under load (woken soon after it fell asleep) the driver naps instead,
 * which blocks the thread for a moment that nobody notices, and lets frames gather: as long as the rings are not about to fill up. A
 * lone frame never waits for a nap.
 */
import type { Clock } from '../common/clock.js';

/** Sockets and timers of the thread wait as long. */
const NAP_MS_MIN = 0.25;
const NAP_MS_MAX = 1;
/** In a row, without finding anything to move. */
const NAPS_MAX = 4;
/** Frames in a ring: with fewer naps get longer, with more shorter. A ring has 16 slots. */
const FEW_FRAMES = 3;
const MANY_FRAMES = 6;
/** A sleep that was shorter is a sign of load. */
const SHORT_SLEEP_MS = 1;

/**
 * How long the next nap is, after one of `napMs` that let so many frames gather in a ring. Between the bounds it settles where a few
 * gather, far from a full ring.
 */
export function nextNapMs(napMs: number, frames: number): number {
  if (frames > MANY_FRAMES) return Math.max(napMs / 2, NAP_MS_MIN);
  return frames < FEW_FRAMES ? Math.min(napMs * 1.25, NAP_MS_MAX) : napMs;
}

export interface ExchangeDriverOptions {
  /** Of the ExchangeService. True: there may be more. */
  readonly pump: () => boolean;
  /** Of the ExchangeService too. Not given: naps stay short. */
  readonly takeDepth?: () => number;
  /** The wake words that the slots know, and which of them is the main thread's. */
  readonly words: Int32Array;
  readonly index: number;
  readonly clock: Clock;
}

export class ExchangeDriver {
  private readonly options: ExchangeDriverOptions;
  /** Nobody bumps it. */
  private readonly quiet = new Int32Array(new SharedArrayBuffer(4));
  private isLoaded = false;
  private naps = 0;
  private napMs = NAP_MS_MIN;
  private isStopped = false;

  constructor(options: ExchangeDriverOptions) {
    this.options = options;
  }

  /** Begins to pump. Asleep it does not keep the process alive. */
  start(): void {
    setImmediate(this.round);
  }

  /** Pumps soon. */
  wake(): void {
    const { words, index } = this.options;
    Atomics.add(words, index, 1);
    Atomics.notify(words, index);
  }

  /** Pumps no more. */
  stop(): void {
    this.isStopped = true;
    this.wake();
  }

  private readonly round = (): void => {
    if (this.isStopped) return;
    const { pump, takeDepth, words, index } = this.options;
    // Before looking: what is published afterwards ends the sleep.
    const seen = Atomics.load(words, index);
    const moved = pump();
    const depth = takeDepth?.() ?? FEW_FRAMES;
    if (moved) {
      this.naps = 0;
      this.napMs = nextNapMs(this.napMs, depth);
    }
    if (depth > MANY_FRAMES) {
      // At once: others wait for room.
      setImmediate(this.round);
    } else if (this.isLoaded && this.naps < NAPS_MAX) {
      // After the event loop's turn, in which connections write what they were given.
      setImmediate(this.nap);
    } else if (moved) {
      setImmediate(this.round);
    } else {
      this.sleep(seen);
    }
  };

  private readonly nap = (): void => {
    this.naps++;
    Atomics.wait(this.quiet, 0, 0, this.napMs);
    this.round();
  };

  private sleep(seen: number): void {
    const { words, index, clock } = this.options;
    this.naps = 0;
    this.napMs = NAP_MS_MIN;
    const waiting = Atomics.waitAsync(words, index, seen);
    if (!waiting.async) {
      this.isLoaded = true;
      setImmediate(this.round);
      return;
    }
    const asleepSince = clock.monotonic();
    void waiting.value.then(() => {
      this.isLoaded = clock.monotonic() - asleepSince < SHORT_SLEEP_MS;
      this.round();
    });
  }
}
