/** The slots of a failover region, wherever they run. */
import type { Clock } from '../common/clock.js';
import type { MillstreamError } from '../common/errors.js';
import type { FromSlot, ToSlot } from '../runtime/slot-messages.js';
import type { FailoverRegion } from './failover-regions.js';
import type { Placement } from './placement.js';

/** What a set of slots is to run. */
export interface SlotSetPlan {
  readonly placement: Placement;
  readonly region: FailoverRegion;
}

/** What a slot says while it lives. */
export type SlotReport = Exclude<FromSlot, { readonly type: 'cancelled' }>;

/** Hears what slots say. */
export interface SlotListener {
  message(slot: number, message: SlotReport): void;
  /** A slot is gone without having been asked to, or one end of its channels. */
  lost(error: MillstreamError): void;
  /** Something was not closed, or not in time. Nothing can be done about it any more. */
  closeFailed(error: MillstreamError): void;
}

export interface SlotSet {
  /** Starts all slots and deploys their subtasks; rejects if there are none to be had. May still be waiting when `close` is called. */
  start(): Promise<void>;
  /** To the slot that runs this subtask. */
  send(vertexId: string, subtask: number, message: ToSlot): void;
  broadcast(message: ToSlot): void;
  /** Lets user functions, writers and readers of the slots that still live close what they have open. Never rejects. */
  close(clock: Clock): Promise<void>;
  /** Ends all slots. */
  kill(): Promise<void>;
  /** Kills one slot as a crash would; for tests and demonstrations. */
  killSlot(slot: number): void;
}
