/** One clock for all threads and processes of a machine: the engine's own has another origin in every thread. */

/** Milliseconds of the system's monotonic clock. */
export function sharedNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
