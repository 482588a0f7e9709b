/**
 * Leadership: a lease with a term, kept by signs of life.
 *
 *     free ──claim by compare-and-set──▶ held ──beat, beat, beat …──▶ released
 *       ▲                                  │ no new beat for the lease's duration
 *       └──────────────────────────────────┘   (leader-observer.ts)
 *
 * Invariants: 1. a term is given to one process only, and terms only grow: a claim is a version of a register (checkpoint/register.ts),
 * also after crashes, and when the answer to a claim was lost; 2. a holder that has not beaten for the duration no longer takes itself for
 * the leader, without asking anybody; 3. a lease that was lost, has lapsed or was released is never held again under its term.
 *
 * A lease protects no write. A process may stand still between any two instructions and go on as the leader that it no longer is, and two
 * may take themselves for leaders for a moment. Every write therefore goes through the compare-and-set of the job record, with the term.
 */
import type { Clock } from '../common/clock.js';
import { beatOf, encodeClaim, type LeaderClaim, LeaderObserver, releasedBeat } from './leader-observer.js';
import type { LeaseStore } from './lease-store.js';

/** Calls of one instance must not overlap, `term` and `heldUntil` excepted. */
export class LeaderLease {
  private readonly store: LeaseStore;
  private readonly claim: LeaderClaim;
  private readonly clock: Clock;
  private readonly observer: LeaderObserver;
  private held: { readonly term: number; readonly beats: number; readonly until: number } | undefined;
  /** The newest term that this process has held. */
  private newestOwnTerm = 0;

  constructor(store: LeaseStore, claim: LeaderClaim, clock: Clock) {
    this.store = store;
    this.claim = claim;
    this.clock = clock;
    this.observer = new LeaderObserver(store, clock, claim.durationMs);
  }

  /** The term, as long as this process may take itself for the leader. */
  get term(): number | undefined {
    return this.held !== undefined && this.clock.monotonic() < this.held.until ? this.held.term : undefined;
  }

  /** When the lease lapses unless it is renewed, on the monotonic clock; -Infinity if it is not held. */
  get heldUntil(): number {
    return this.held?.until ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes the lease if it is free: the new term. Undefined: another holds it, or was faster. To be called again and again. */
  async tryAcquire(): Promise<number | undefined> {
    if (this.term !== undefined) return this.term;
    this.held = undefined;
    const askedAt = this.clock.monotonic();
    const look = await this.observer.look();
    const isOwn = look?.claim?.nonce === this.claim.nonce;
    // A claim whose answer was lost.
    if (look !== undefined && isOwn && look.term > this.newestOwnTerm) return this.hold(look.term, askedAt);
    if (look !== undefined && !look.isFree && !isOwn) return undefined;
    const term = (look?.term ?? 0) + 1;
    const claimedAt = this.clock.monotonic();
    if (!(await this.store.claims.compareAndSet(term - 1, encodeClaim(term, this.claim)))) return undefined;
    await this.store.claims.removeLeftovers().catch(() => undefined);
    return this.hold(term, claimedAt);
  }

  /** Gives a sign of life. False: the lease is lost. An error: the store can't be reached; it is held until `heldUntil` all the same. */
  async renew(): Promise<boolean> {
    const { held } = this;
    const askedAt = this.clock.monotonic();
    if (held === undefined || askedAt >= held.until) return this.lose();
    if ((await this.store.claims.read())?.version !== held.term) return this.lose();
    await this.store.writeBeat(beatOf(held.term, held.beats + 1));
    if (this.clock.monotonic() >= held.until) return this.lose();
    // From before the request: no observer can have seen this beat earlier.
    this.held = { term: held.term, beats: held.beats + 1, until: askedAt + this.claim.durationMs };
    return true;
  }

  /** Gives the lease up, so that others need not wait. To be called when this process writes nothing more. */
  async release(): Promise<void> {
    const { held } = this;
    this.lose();
    if (held === undefined || (await this.store.claims.read())?.version !== held.term) return;
    await this.store.writeBeat(releasedBeat(held.term));
  }

  private hold(term: number, since: number): number | undefined {
    this.held = { term, beats: 0, until: since + this.claim.durationMs };
    this.newestOwnTerm = term;
    return this.term;
  }

  private lose(): false {
    this.held = undefined;
    return false;
  }
}
