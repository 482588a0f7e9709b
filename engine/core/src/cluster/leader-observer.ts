/**
 * Who leads, as anybody sees it who can read the lease: standbys, TaskManagers and clients. The claims and signs of life are explained in
 * leader-lease.ts.
 *
 * Invariant: a lease lapses for an observer when it saw no change for the duration that the holder published, by the observer's own
 * monotonic clock, from the end of the look that saw the change to the beginning of a later one. Wall clocks play no part.
 */
import { sealJson, unsealJson } from '../checkpoint/sealed-json.js';
import type { Clock } from '../common/clock.js';
import type { LeaseStore } from './lease-store.js';

const FORMAT = 'millstream.leader';
const RELEASED = 'released';

/** Where a leader is reached. */
export interface LeaderAddress {
  /** For TaskManagers: host:port of the control connection. */
  readonly control: string;
  /** For clients: the URL of the REST interface; undefined if it has none. */
  readonly rest: string | undefined;
}

/** A leader, as it is published. */
export interface Leader {
  readonly term: number;
  /** Names the process, for people. */
  readonly holder: string;
  readonly address: LeaderAddress;
}

/** What a process publishes when it takes the lease. */
export interface LeaderClaim {
  readonly holder: string;
  readonly address: LeaderAddress;
  /** Without a sign of life for so long, others may take over. */
  readonly durationMs: number;
  /** Differs for every start of every process. */
  readonly nonce: string;
}

/** What one look found. */
export interface LeaseLook {
  readonly term: number;
  /** Undefined: it cannot be read. It lapses like any other, after the observer's own duration. */
  readonly claim: LeaderClaim | undefined;
  /** It was released, or has lapsed for this observer. */
  readonly isFree: boolean;
}

/** See the head of this file. Calls of one instance must not overlap. */
export class LeaderObserver {
  private readonly store: LeaseStore;
  private readonly clock: Clock;
  private readonly durationMs: number;
  /** The last change that was seen, and when. */
  private seen: { readonly mark: string; readonly since: number } | undefined;

  /** `durationMs`: for a claim that cannot be read. */
  constructor(store: LeaseStore, clock: Clock, durationMs: number) {
    this.store = store;
    this.clock = clock;
    this.durationMs = durationMs;
  }

  /** The leader; undefined if there is none, it has given up, or it has lapsed. */
  async leader(): Promise<Leader | undefined> {
    const look = await this.look();
    if (look?.claim === undefined || look.isFree) return undefined;
    const { holder, address } = look.claim;
    return { term: look.term, holder, address };
  }

  /** The newest claim; undefined if there was never one. */
  async look(): Promise<LeaseLook | undefined> {
    const startedAt = this.clock.monotonic();
    const newest = await this.store.claims.read();
    if (newest === undefined) return undefined;
    const { version: term } = newest;
    const claim = decodeClaim(newest.content);
    const text = await this.store.readBeat();
    // What an earlier leader still writes is no sign of life of this one.
    const beat = text.startsWith(`${term} `) ? text : '';
    const mark = `${term}:${beat}`;
    if (this.seen?.mark !== mark) this.seen = { mark, since: this.clock.monotonic() };
    const lapsed = startedAt - this.seen.since >= (claim?.durationMs ?? this.durationMs);
    return { term, claim, isFree: lapsed || beat === releasedBeat(term) };
  }
}

/** A claim as the content of the register; differs for each term and process. */
export function encodeClaim(term: number, { holder, address, durationMs, nonce }: LeaderClaim): Uint8Array {
  return sealJson({ format: FORMAT, term, holder, address, durationMs, nonce });
}

/** A sign of life; differs from the one before. */
export function beatOf(term: number, count: number): string {
  return `${term} ${count}`;
}

/** The last sign of a leader that has given up. */
export function releasedBeat(term: number): string {
  return `${term} ${RELEASED}`;
}

function decodeClaim(content: Uint8Array): LeaderClaim | undefined {
  const unsealed = unsealJson(content);
  if (!unsealed.whole) return undefined;
  const claim = unsealed.value as LeaderClaim & { readonly format: unknown };
  return claim.format === FORMAT ? claim : undefined;
}
