/** Ends a TaskManager that nobody wants: whatever started it may then start it where a JobManager can be found. */
import { MillstreamError } from 'millstream';
import type { Clock, ScheduledCall } from 'millstream/cluster';

/** Measures how long a TaskManager has been without a JobManager. */
export class RegistrationWatch {
  /** Resolves when that was too long. */
  readonly expired: Promise<MillstreamError>;
  private readonly clock: Clock;
  private readonly timeoutMs: number;
  private readonly expire: (error: MillstreamError) => void;
  private timer: ScheduledCall | undefined;
  /** Why the last search failed. */
  private found = '';

  /** `timeoutMs`: `taskmanager.registration.timeout`; -1: for ever is not too long. Begins to search. */
  constructor(clock: Clock, timeoutMs: number) {
    this.clock = clock;
    this.timeoutMs = timeoutMs;
    const { promise, resolve } = Promise.withResolvers<MillstreamError>();
    this.expired = promise;
    this.expire = resolve;
    this.search();
  }

  registered(): void {
    this.stop();
  }

  /** A search has failed, or a connection is lost. */
  disconnected(error: MillstreamError): void {
    this.found = ` ${error.message}`;
    this.search();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private search(): void {
    if (this.timeoutMs < 0 || this.timer !== undefined) return;
    this.timer = this.clock.schedule(this.timeoutMs, () => {
      const message = `Cannot go on as a TaskManager: no JobManager has registered it for ${this.timeoutMs / 1000} s (taskmanager.registration.timeout).${this.found} Start it again when there is a JobManager, or correct jobmanager.rpc.address or high-availability.storageDir.`;
      this.expire(new MillstreamError('CONNECTION_FAILED', message, { retryable: true }));
    });
  }
}
