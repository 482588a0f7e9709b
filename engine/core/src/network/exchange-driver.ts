/**
 * Drives an exchange: pumps when a slot has bumped the wake word of the TaskManager's main thread. A driver, and not logic.
 *
 *     asleep (waitAsync) ──word──▶ pump ──moved──▶ event loop ─▶ pump ─▶ …
 *        ▲                          │ nothing to move
 *        │                          ├ woken soon after it fell asleep: nap, event loop, pump, some times
 *        └──────────────────────────┴ else
 *
 * A sleep with Atomics.waitAsync and its end cost about 25 µs of CPU time here, and some for the slot that notifies. Under load slots
 * would do that for every frame; a nap, which blocks the thread for a moment that nobody notices, lets frames gather instead. A lone
 * frame never waits for a nap.
 */
import type { Clock } from '../common/clock.js';

/** Sockets and timers of the thread wait as long. */
const NAP_MS = 0.25;
/** In a row, without finding anything to move. */
const NAPS_MAX = 4;
/** A sleep that was shorter is a sign of load. */
const SHORT_SLEEP_MS = 1;

export interface ExchangeDriverOptions {
  /** Of the ExchangeService. True: there may be more. */
  readonly pump: () => boolean;
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
    const { pump, words, index } = this.options;
    // Before looking: what is published afterwards ends the sleep.
    const seen = Atomics.load(words, index);
    if (pump()) {
      this.naps = 0;
    } else if (this.isLoaded && this.naps < NAPS_MAX) {
      this.naps++;
      Atomics.wait(this.quiet, 0, 0, NAP_MS);
    } else {
      this.sleep(seen);
      return;
    }
    setImmediate(this.round);
  };

  private sleep(seen: number): void {
    const { words, index, clock } = this.options;
    this.naps = 0;
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
