/**
 * A failover region in an attempt: its slots, and those that take their place when they have failed.
 *
 *     open ─▶ start ─▶ all deployed ─▶ running ─failed─▶ down ─▶ open …
 *
 * Invariant: what slots say that have been replaced, or are down, is not heard, but for what they have written.
 */
import type { Clock } from '../common/clock.js';
import type { MillstreamError } from '../common/errors.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import type { AttemptOptions } from './attempt-options.js';
import type { FailoverRegion } from './failover-regions.js';
import type { Placement } from './placement.js';
import type { SlotReport, SlotSet } from './slot-set.js';

/** What a slot says while its region runs. */
export type RegionReport = Exclude<SlotReport, { readonly type: 'deployed' }>;

/** Hears of regions. */
export interface RegionListener {
  /** All of its slots are deployed. */
  deployed(region: RegionExecution): void;
  message(region: RegionExecution, slot: number, message: RegionReport): void;
  lost(region: RegionExecution, error: MillstreamError): void;
  closeFailed(error: MillstreamError): void;
}

/** A region's slots in an attempt; see the head of this file. */
export class RegionExecution {
  readonly region: FailoverRegion;
  status: 'deploying' | 'running' | 'down' = 'deploying';
  private readonly placement: Placement;
  private readonly listener: RegionListener;
  private slots: SlotSet;
  private deployed = 0;
  private ended: Promise<void> | undefined;

  constructor(region: FailoverRegion, placement: Placement, options: AttemptOptions, listener: RegionListener) {
    this.region = region;
    this.placement = placement;
    this.listener = listener;
    this.slots = this.create(options);
  }

  private create(options: AttemptOptions): SlotSet {
    const { region, placement, listener } = this;
    const slots = options.createSlots(
      options,
      { placement, region },
      {
        message: (slot, message) => {
          if (this.slots === slots) this.hear(slot, message);
        },
        lost: (error) => {
          if (this.slots === slots) listener.lost(this, error);
        },
        closeFailed: (error) => listener.closeFailed(error),
      },
    );
    return slots;
  }

  private hear(slot: number, message: SlotReport): void {
    // What has been written for a checkpoint that is given up is to be removed.
    if (this.status === 'down' && message.type !== 'metrics' && message.type !== 'acknowledged') return;
    if (message.type !== 'deployed') this.listener.message(this, slot, message);
    else if (++this.deployed === this.region.slots.length) this.listener.deployed(this);
  }

  /** Starts its slots. Rejects if there are none to be had. */
  async start(): Promise<void> {
    await this.slots.start();
  }

  /** New slots, after those before have ended; to be started. */
  reopen(options: AttemptOptions): void {
    this.status = 'deploying';
    this.deployed = 0;
    this.ended = undefined;
    this.slots = this.create(options);
  }

  send(vertexId: string, subtask: number, message: ToSlot): void {
    if (this.status !== 'down') this.slots.send(vertexId, subtask, message);
  }

  broadcast(message: ToSlot): void {
    if (this.status !== 'down') this.slots.broadcast(message);
  }

  /** Lets its slots close what they have open, and ends them. */
  async end(clock: Clock): Promise<void> {
    const { slots } = this;
    this.ended ??= slots.close(clock).then(async () => await slots.kill());
    await this.ended;
  }

  /** Kills one slot as a crash would. */
  killSlot(slot: number): void {
    this.slots.killSlot(slot);
  }
}
