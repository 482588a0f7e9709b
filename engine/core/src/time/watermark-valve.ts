/**
 * The watermark of an input with several channels: the minimum over the channels that are active. Flink's StatusWatermarkValve.
 *
 * Invariants: 1. `current` never goes down; 2. watermarks of idle channels are ignored; 3. a channel that becomes active again behind
 * `current` does not count until its watermark has caught up; 4. a channel that has ended neither holds others back nor keeps the
 * input active: the watermark is Infinity only when all have ended (in Flink an ended channel and an idle one make that of the end).
 */
import { invariant } from '../common/errors.js';

/** What a call changed: a set of {@link VALVE_WATERMARK} and {@link VALVE_IDLE}. When both are set and `idle` is true, the watermark goes first. */
export type ValveChange = number;
export const VALVE_UNCHANGED: ValveChange = 0;
/** `current` has grown. */
export const VALVE_WATERMARK: ValveChange = 1;
/** `idle` is another. */
export const VALVE_IDLE: ValveChange = 2;

interface Channel {
  watermark: number;
  idle: boolean;
  /** Its watermark counts: it is active and not behind `current`. */
  aligned: boolean;
  ended: boolean;
}

export class WatermarkValve {
  /** The watermark to pass on; -Infinity before the first one, Infinity when all channels have ended. */
  current: number = Number.NEGATIVE_INFINITY;
  /** All channels that have not ended are idle. */
  idle = false;
  private readonly channels: Channel[];

  constructor(channelCount: number) {
    invariant(channelCount > 0, `A watermark valve needs channels, not ${channelCount}`);
    this.channels = Array.from({ length: channelCount }, () => ({
      watermark: Number.NEGATIVE_INFINITY,
      idle: false,
      aligned: true,
      ended: false,
    }));
  }

  inputWatermark(index: number, watermark: number): ValveChange {
    const channel = this.channel(index);
    if (channel.idle || channel.ended || watermark <= channel.watermark) return VALVE_UNCHANGED;
    channel.watermark = watermark;
    if (watermark >= this.current) channel.aligned = true;
    return this.raise();
  }

  inputIdle(index: number, idle: boolean): ValveChange {
    const channel = this.channel(index);
    if (channel.ended || channel.idle === idle) return VALVE_UNCHANGED;
    const counted = channel.aligned;
    channel.idle = idle;
    channel.aligned = !idle && channel.watermark >= this.current;
    return idle ? this.settle(counted) : this.setIdle(false);
  }

  endOfInput(index: number): ValveChange {
    const channel = this.channel(index);
    if (channel.ended) return VALVE_UNCHANGED;
    const counted = channel.aligned;
    channel.ended = true;
    channel.aligned = false;
    return this.settle(counted);
  }

  private channel(index: number): Channel {
    const channel = this.channels[index];
    invariant(channel !== undefined, `A watermark valve of ${this.channels.length} channels has none with index ${index}`);
    return channel;
  }

  /** After a channel became idle or ended; `counted`: it was aligned before. */
  private settle(counted: boolean): ValveChange {
    let largest = Number.NEGATIVE_INFINITY;
    let open = false;
    for (const channel of this.channels) {
      if (channel.ended) continue;
      if (!channel.idle) return this.raise();
      open = true;
      largest = Math.max(largest, channel.watermark);
    }
    if (!open) return this.setIdle(false) | this.raiseTo(Number.POSITIVE_INFINITY);
    // Nobody holds back any more: what the furthest channel had promised holds (Flink flushes the maximum).
    return (counted ? this.raiseTo(largest) : VALVE_UNCHANGED) | this.setIdle(true);
  }

  private raise(): ValveChange {
    let smallest = Number.POSITIVE_INFINITY;
    let found = false;
    for (const channel of this.channels) {
      if (!channel.aligned) continue;
      found = true;
      if (channel.watermark < smallest) smallest = channel.watermark;
    }
    return found ? this.raiseTo(smallest) : VALVE_UNCHANGED;
  }

  private raiseTo(watermark: number): ValveChange {
    if (watermark <= this.current) return VALVE_UNCHANGED;
    this.current = watermark;
    return VALVE_WATERMARK;
  }

  private setIdle(idle: boolean): ValveChange {
    if (this.idle === idle) return VALVE_UNCHANGED;
    this.idle = idle;
    return VALVE_IDLE;
  }
}
