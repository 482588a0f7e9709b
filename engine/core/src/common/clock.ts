/** Time comes only through this interface, so that a whole cluster runs on virtual time in simulation. */

/** Stops a scheduled callback; harmless after it has run. */
export interface ScheduledCall {
  cancel(): void;
}

/** Where time comes from: the machine, or a test that moves it. */
export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** A clock that never goes back, fractional ms from an arbitrary origin. */
  monotonic(): number;
  /** Calls `callback` once, `delayMs` from now at the earliest. Keeps the process alive while pending, unless `keepAlive` is false. */
  schedule(delayMs: number, callback: () => void, keepAlive?: boolean): ScheduledCall;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, callback, keepAlive = true) {
    const timer = setTimeout(callback, delayMs);
    if (!keepAlive) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
