/**
 * Takes part in the election of the leader, for as long as it runs: takes the lease when it is free, renews it, and says so when it is lost.
 *
 *     standby ──granted(term)──▶ leading ──revoked(term)──▶ standby …        stop: revoked, then the lease is released
 *
 * Invariants: 1. `granted` and `revoked` alternate, with the same term; terms grow; 2. `revoked` comes when the lease lapses, also while
 * a request hangs; 3. the store out of reach ends leadership only when the lease lapses.
 */
import type { Clock, ScheduledCall } from '../common/clock.js';
import type { Random } from '../common/random.js';
import type { LeaderLease } from './leader-lease.js';

/** What an election tells. */
export interface LeaderElectionListener {
  granted(term: number): void;
  /** Whatever was begun under the term must end now; its writes are refused once another leads. */
  revoked(term: number): void;
  /** A request to the store failed; it is tried again at the next turn. */
  failed(error: unknown): void;
}

/** See the head of this file. */
export class LeaderElection {
  private readonly lease: LeaderLease;
  private readonly listener: LeaderElectionListener;
  private readonly intervalMs: number;
  private readonly clock: Clock;
  private readonly random: Random;
  private leading: number | undefined;
  private isStopped = false;
  private running: Promise<void> | undefined;
  private pausing: { readonly timer: ScheduledCall; readonly wake: () => void } | undefined;
  private lapse: ScheduledCall | undefined;

  /** `intervalMs`: between two requests; a third of the lease's duration or less, so that one may fail. */
  constructor(
    lease: LeaderLease,
    options: {
      readonly intervalMs: number;
      readonly clock: Clock;
      readonly random: Random;
      readonly listener: LeaderElectionListener;
    },
  ) {
    this.lease = lease;
    this.listener = options.listener;
    this.intervalMs = options.intervalMs;
    this.clock = options.clock;
    this.random = options.random;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Ends taking part; a held lease is released. `revoked` is called first. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.revoke();
    this.pausing?.timer.cancel();
    this.pausing?.wake();
    await this.running;
    await this.lease.release().catch((error: unknown) => this.listener.failed(error));
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      let pauseMs = this.intervalMs;
      try {
        await this.turn();
      } catch (error) {
        this.listener.failed(error);
        // The lease does not wait.
        pauseMs /= 4;
      }
      if (!this.isStopped) await this.pause(pauseMs);
    }
  }

  private async turn(): Promise<void> {
    if (this.leading === undefined) {
      const term = await this.lease.tryAcquire();
      if (term === undefined || this.isStopped) return;
      this.leading = term;
      this.watchLapse();
      this.listener.granted(term);
    } else if (!(await this.lease.renew())) {
      this.revoke();
    }
  }

  private revoke(): void {
    const term = this.leading;
    this.leading = undefined;
    this.lapse?.cancel();
    if (term !== undefined) this.listener.revoked(term);
  }

  /** Steps down at the moment when the lease lapses. */
  private watchLapse(): void {
    const remainingMs = Math.max(0, this.lease.heldUntil - this.clock.monotonic());
    this.lapse = this.clock.schedule(remainingMs, () => {
      if (this.lease.term === undefined) this.revoke();
      else this.watchLapse();
    });
  }

  /** Standbys that started together drift apart. */
  private pause(ms: number): Promise<void> {
    const delayMs = ms * (0.9 + this.random.unit() / 5);
    return new Promise((wake) => {
      this.pausing = { timer: this.clock.schedule(delayMs, wake), wake };
    });
  }
}
