/**
 * What was on its way in the channels of a subtask when a barrier overtook it, in a checkpoint: frames by channel, in order, apart for
 * those that had been sent to it and those that it had not sent yet. What is in a frame is the network's business.
 *
 *     version u8 | channels varint | (direction u8, name, frames varint | (kind u8, length varint, bytes) …) …
 */
import { ByteReader, ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';

export interface ChannelFrame {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** Of one channel. */
export interface ChannelFrames {
  /** `channelName`: edge, producer, consumer. */
  readonly channel: string;
  readonly frames: readonly ChannelFrame[];
}

export interface ChannelState {
  /** Sent to this subtask, and not processed. */
  readonly inputs: readonly ChannelFrames[];
  /** To be sent by this subtask; behind the input of its consumer. */
  readonly outputs: readonly ChannelFrames[];
}

const VERSION = 1;
const INPUT = 0;
const OUTPUT = 1;

/** Undefined if nothing was on its way. */
export function encodeChannelState({ inputs, outputs }: ChannelState): Uint8Array | undefined {
  if (inputs.length + outputs.length === 0) return undefined;
  const out = new ByteWriter(64 * 1024);
  out.u8(VERSION);
  out.varint(inputs.length + outputs.length);
  for (const each of inputs) encodeFrames(out, INPUT, each);
  for (const each of outputs) encodeFrames(out, OUTPUT, each);
  return out.toBytes();
}

function encodeFrames(out: ByteWriter, direction: number, { channel, frames }: ChannelFrames): void {
  out.u8(direction);
  out.string(channel);
  out.varint(frames.length);
  for (const { kind, bytes } of frames) {
    out.u8(kind);
    out.varint(bytes.length);
    out.bytes(bytes);
  }
}

/** Reads what {@link encodeChannelState} wrote. Frames are views of `bytes`. Throws CORRUPT_DATA. */
export function decodeChannelState(bytes: Uint8Array): ChannelState {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw corrupt(`its format is ${version}, not ${VERSION}`);
  const inputs: ChannelFrames[] = [];
  const outputs: ChannelFrames[] = [];
  for (let count = reader.varint(); count > 0; count--) {
    const direction = reader.u8();
    if (direction !== INPUT && direction !== OUTPUT) throw corrupt(`a channel has direction ${direction}`);
    const channel = reader.string();
    const frames: ChannelFrame[] = [];
    for (let left = reader.varint(); left > 0; left--) frames.push({ kind: reader.u8(), bytes: reader.bytes(reader.varint()) });
    (direction === INPUT ? inputs : outputs).push({ channel, frames });
  }
  if (reader.remaining > 0) throw corrupt(`${reader.remaining} bytes follow its end`);
  return { inputs, outputs };
}

/**
 * What the inputs of a subtask begin with, by channel. `states`: all that may hold something for it, its own and its producers'.
 */
export function channelFramesFor(states: readonly ChannelState[]): Map<string, ChannelFrame[]> {
  const byChannel = new Map<string, ChannelFrame[]>();
  const add = ({ channel, frames }: ChannelFrames): void => {
    const known = byChannel.get(channel);
    if (known === undefined) byChannel.set(channel, [...frames]);
    else known.push(...frames);
  };
  // What had been sent comes before what had not.
  for (const { inputs } of states) inputs.forEach(add);
  for (const { outputs } of states) outputs.forEach(add);
  return byChannel;
}

function corrupt(found: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot read what was on its way in channels: ${found}.`);
}
