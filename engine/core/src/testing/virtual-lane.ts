/**
 * One direction of a virtual connection. What is sent waits until the network takes it (bandwidth), flies (latency), and arrives.
 *
 *     send ──▶ pending ──take, at bytesPerMs──▶ flying ──latency──▶ arrive
 *              counted in pendingBytes           lost by nothing but `cut`
 *
 * Invariants: 1. items arrive in the order in which they were put; 2. while the lane is blocked nothing is taken and nothing arrives;
 * what flies is held and arrives after `unblock`, as TCP would send it again.
 */
import type { Clock, ScheduledCall } from '../common/clock.js';

/** A message, or how the sender ended its direction. */
export type LaneItem = Uint8Array | 'end' | 'reset';

/** What a lane asks of the network, and whom it tells. */
export interface LaneEnds {
  readonly clock: Clock;
  readonly bytesPerMs: number;
  latencyMs(): number;
  isBlocked(): boolean;
  /** The item is at the other end. */
  arrive(item: LaneItem): void;
  /** Nothing is pending any more. */
  onTaken(): void;
}

interface FlyingItem {
  readonly item: LaneItem;
  time: number;
}

export class VirtualLane {
  pendingBytes = 0;
  private readonly ends: LaneEnds;
  private readonly pending: LaneItem[] = [];
  private readonly flying: FlyingItem[] = [];
  private taking: ScheduledCall | undefined;
  private arriving: ScheduledCall | undefined;
  /** Nothing arrives before. */
  private lastArrival: number;

  /** `openAt`: when the connection is established at the receiving end. */
  constructor(ends: LaneEnds, openAt: number) {
    this.ends = ends;
    this.lastArrival = openAt;
  }

  put(item: LaneItem): void {
    this.pending.push(item);
    this.pendingBytes += sizeOf(item);
    this.take();
  }

  /** Drops what is pending and overtakes nothing that flies. */
  resetNow(): void {
    this.dropPending();
    this.fly('reset');
  }

  dropPending(): void {
    this.pending.length = 0;
    this.pendingBytes = 0;
    this.taking?.cancel();
    this.taking = undefined;
  }

  /** Drops everything: nothing arrives any more. */
  cut(): void {
    this.dropPending();
    this.flying.length = 0;
    this.arriving?.cancel();
    this.arriving = undefined;
  }

  /** Goes on after the network has ceased to be blocked. */
  unblock(): void {
    const first = this.flying[0];
    if (first !== undefined && this.arriving === undefined) {
      first.time = this.ends.clock.monotonic() + this.ends.latencyMs();
      this.lastArrival = Math.max(this.lastArrival, first.time);
      this.awaitArrival();
    }
    this.take();
  }

  private take(): void {
    const item = this.pending[0];
    if (item === undefined || this.taking !== undefined || this.ends.isBlocked()) return;
    this.taking = this.ends.clock.schedule(sizeOf(item) / this.ends.bytesPerMs, () => {
      this.taking = undefined;
      if (this.ends.isBlocked()) return;
      this.pending.shift();
      this.pendingBytes -= sizeOf(item);
      this.fly(item);
      if (this.pending.length === 0) this.ends.onTaken();
      else this.take();
    });
  }

  private fly(item: LaneItem): void {
    const time = Math.max(this.lastArrival, this.ends.clock.monotonic() + this.ends.latencyMs());
    this.lastArrival = time;
    this.flying.push({ item, time });
    if (this.arriving === undefined && this.flying.length === 1) this.awaitArrival();
  }

  private awaitArrival(): void {
    const first = this.flying[0];
    if (first === undefined) return;
    this.arriving = this.ends.clock.schedule(first.time - this.ends.clock.monotonic(), () => {
      this.arriving = undefined;
      if (this.ends.isBlocked()) return;
      this.flying.shift();
      this.awaitArrival();
      this.ends.arrive(first.item);
    });
  }
}

function sizeOf(item: LaneItem): number {
  return typeof item === 'string' ? 0 : item.length;
}
