/**
 * Takes the records of one edge to channels, as the edge's partitioning says. Flink's partitioners.
 */

import { MillstreamError } from '../common/errors.js';
import { hashKey, keyGroupOf } from '../common/hash.js';
import type { Key } from '../common/key.js';
import type { Random } from '../common/random.js';
import type { Partitioning } from '../plan/plan.js';
import { subtaskOfKeyGroup } from '../state/key-group.js';
import type { OutputChannel } from './channel.js';

export interface PartitionWriter {
  append(value: unknown, timestamp: number): void;
}

export interface PartitionOptions {
  readonly partitioning: Partitioning;
  readonly channels: readonly OutputChannel[];
  readonly maxParallelism: number;
  /** Whether the consumer has keyed state, and so refuses unsupported keys itself. */
  readonly consumerChecksKeys: boolean;
  readonly subtaskIndex: number;
  readonly random: Random;
  readonly keySelector: ((value: unknown) => Key) | undefined;
  readonly partition: ((key: unknown, channels: number) => number) | undefined;
}

export function createPartitionWriter(options: PartitionOptions): PartitionWriter {
  const { channels, partitioning } = options;
  if (channels.length === 1 && partitioning === 'hash' && !options.consumerChecksKeys) {
    return new KeyCheckWriter(channels[0] as OutputChannel, options.keySelector as (value: unknown) => Key);
  }
  if (channels.length === 1 && partitioning !== 'custom') return channels[0] as OutputChannel;
  switch (partitioning) {
    case 'hash':
      return new HashWriter(channels, options.maxParallelism, options.keySelector as (value: unknown) => Key);
    case 'broadcast':
      return new BroadcastWriter(channels);
    case 'shuffle':
      return new ShuffleWriter(channels, options.random);
    case 'custom':
      return new CustomWriter(channels, options.keySelector, options.partition as (key: unknown, channels: number) => number);
    case 'global':
      return channels[0] as OutputChannel;
    case 'rebalance':
    case 'rescale':
    case 'forward':
      return new RoundRobinWriter(channels, partitioning === 'rebalance' ? options.random.below(channels.length) : 0);
  }
}

/** The key decides nothing with a single channel, but one that is not supported must not pass only because of that. */
class KeyCheckWriter implements PartitionWriter {
  private readonly channel: OutputChannel;
  private readonly keySelector: (value: unknown) => Key;

  constructor(channel: OutputChannel, keySelector: (value: unknown) => Key) {
    this.channel = channel;
    this.keySelector = keySelector;
  }

  append(value: unknown, timestamp: number): void {
    hashKey(this.keySelector(value));
    this.channel.append(value, timestamp);
  }
}

class HashWriter implements PartitionWriter {
  private readonly byGroup: OutputChannel[];
  private readonly maxParallelism: number;
  private readonly keySelector: (value: unknown) => Key;

  constructor(channels: readonly OutputChannel[], maxParallelism: number, keySelector: (value: unknown) => Key) {
    this.maxParallelism = maxParallelism;
    this.keySelector = keySelector;
    this.byGroup = Array.from(
      { length: maxParallelism },
      (_, group) => channels[subtaskOfKeyGroup(maxParallelism, channels.length, group)] as OutputChannel,
    );
  }

  append(value: unknown, timestamp: number): void {
    const group = keyGroupOf(this.keySelector(value), this.maxParallelism);
    (this.byGroup[group] as OutputChannel).append(value, timestamp);
  }
}

class RoundRobinWriter implements PartitionWriter {
  private readonly channels: readonly OutputChannel[];
  private next: number;

  constructor(channels: readonly OutputChannel[], start: number) {
    this.channels = channels;
    this.next = start;
  }

  append(value: unknown, timestamp: number): void {
    const at = this.next;
    this.next = at + 1 === this.channels.length ? 0 : at + 1;
    (this.channels[at] as OutputChannel).append(value, timestamp);
  }
}

class ShuffleWriter implements PartitionWriter {
  private readonly channels: readonly OutputChannel[];
  private readonly random: Random;

  constructor(channels: readonly OutputChannel[], random: Random) {
    this.channels = channels;
    this.random = random;
  }

  append(value: unknown, timestamp: number): void {
    (this.channels[this.random.below(this.channels.length)] as OutputChannel).append(value, timestamp);
  }
}

class BroadcastWriter implements PartitionWriter {
  private readonly channels: readonly OutputChannel[];

  constructor(channels: readonly OutputChannel[]) {
    this.channels = channels;
  }

  append(value: unknown, timestamp: number): void {
    for (const channel of this.channels) channel.append(value, timestamp);
  }
}

class CustomWriter implements PartitionWriter {
  private readonly channels: readonly OutputChannel[];
  private readonly keySelector: ((value: unknown) => Key) | undefined;
  private readonly partition: (key: unknown, channels: number) => number;

  constructor(
    channels: readonly OutputChannel[],
    keySelector: ((value: unknown) => Key) | undefined,
    partition: (key: unknown, channels: number) => number,
  ) {
    this.channels = channels;
    this.keySelector = keySelector;
    this.partition = partition;
  }

  append(value: unknown, timestamp: number): void {
    const key = this.keySelector === undefined ? value : this.keySelector(value);
    const at = this.partition(key, this.channels.length);
    const channel = this.channels[at];
    if (channel === undefined) {
      throw new MillstreamError(
        'INVALID_PARTITION',
        `Cannot send a record to channel ${at}: the partitioner must return an integer from 0 to ${this.channels.length - 1}.`,
      );
    }
    channel.append(value, timestamp);
  }
}
