/**
 * A subtask's snapshot while it is being made: keyed state is serialised in slices between records and written behind; committables
 * become durable; then the snapshot is handed over.
 *
 *     barrier: begin ─▶ step … step (between records) ─▶ files finished, committables durable ─▶ acknowledged
 */

import { type ChannelState, encodeChannelState } from '../checkpoint/channel-state.js';
import { INLINE_STATE_BYTES_MAX, type KeyedStateFile, type OperatorSubtaskSnapshot, type StateBytes } from '../checkpoint/snapshot.js';
import { lengthOf } from '../checkpoint/state-bytes.js';
import type { KeyedSnapshot, KeyedStateBackend } from '../state/backend.js';

/** Writes one state file; made by the checkpoint storage. */
export interface StateFileWriter {
  write(chunk: Uint8Array): void;
  finish(): Promise<{ readonly path: string; readonly length: number; readonly crc32: number }>;
  abort(): Promise<void>;
  /** Bytes taken and not yet handed to the disk. */
  readonly pendingBytes: number;
}

/** Above this many bytes that the disk has not taken, serialising pauses. */
const PENDING_BYTES_MAX = 16 * 1024 * 1024;

export interface KeyedPart {
  readonly operatorId: string;
  readonly backend: KeyedStateBackend;
  readonly snapshot: KeyedSnapshot;
  readonly file: StateFileWriter;
  /** The chain of the completed checkpoint that a delta continues. */
  readonly before: readonly KeyedStateFile[];
}

export interface OperatorPart {
  readonly operatorId: string;
  readonly snapshot: OperatorSubtaskSnapshot;
  /** Operator state that is too large for the metadata; written, not finished. */
  readonly stateFile: StateFileWriter | undefined;
  /** Committables of this epoch, encoded, once durable. */
  readonly committables: Promise<readonly Uint8Array[]> | undefined;
}

/** What was on its way in the subtask's channels, for snapshots of barriers that overtake. */
export interface ChannelPart {
  /** Whose part of the snapshot names it. */
  readonly operatorId: string;
  readonly state: Promise<ChannelState>;
  /** Makes the file of what is too large for the metadata; undefined: nothing is stored. */
  readonly create: (() => StateFileWriter) | undefined;
}

export interface SnapshotResult {
  readonly operators: { [operatorId: string]: OperatorSubtaskSnapshot };
  readonly writtenBytes: number;
  /** The chain of each keyed operator at this epoch. */
  readonly chains: Map<string, readonly KeyedStateFile[]>;
}

export class SnapshotWriter {
  readonly epoch: number;
  private readonly keyed: readonly KeyedPart[];
  private readonly operators: readonly OperatorPart[];
  private readonly channels: ChannelPart | undefined;
  private channelFile: StateFileWriter | undefined;
  private at = 0;
  private aborted = false;
  /** Set when committables could not be made durable: output is lost, and the task must fail. */
  outputLost = false;

  constructor(epoch: number, keyed: readonly KeyedPart[], operators: readonly OperatorPart[], channels?: ChannelPart) {
    this.epoch = epoch;
    this.keyed = keyed;
    this.operators = operators;
    this.channels = channels;
  }

  /** Serialises about `rows` rows; true when all keyed state has been serialised. */
  step(rows: number): boolean {
    while (this.at < this.keyed.length) {
      const part = this.keyed[this.at] as KeyedPart;
      if (part.file.pendingBytes > PENDING_BYTES_MAX) return false;
      if (!part.snapshot.step(rows)) return false;
      this.at++;
    }
    return true;
  }

  /** After `step` returned true: resolves when everything is durable. */
  async finish(): Promise<SnapshotResult> {
    const operators: { [operatorId: string]: OperatorSubtaskSnapshot } = {};
    const chains = new Map<string, readonly KeyedStateFile[]>();
    let writtenBytes = 0;
    for (const part of this.operators) {
      const committables = await this.committablesOf(part);
      const file = await part.stateFile?.finish();
      writtenBytes += file?.length ?? lengthOf(part.snapshot.operatorState);
      operators[part.operatorId] = {
        ...part.snapshot,
        ...(file !== undefined && { operatorState: { file } }),
        committables: [...part.snapshot.committables, ...committables],
      };
    }
    for (const part of this.keyed) {
      const file = await part.file.finish();
      writtenBytes += file.length;
      const { info } = part.snapshot;
      const chain = info.kind === 'base' ? [{ ...file, info }] : [...part.before, { ...file, info }];
      chains.set(part.operatorId, chain);
      const snapshot = operators[part.operatorId] as OperatorSubtaskSnapshot;
      operators[part.operatorId] = { ...snapshot, keyedChain: chain };
    }
    writtenBytes += await this.finishChannels(operators);
    return { operators, writtenBytes, chains };
  }

  /** Adds what was on its way; returns the bytes written. */
  private async finishChannels(operators: { [operatorId: string]: OperatorSubtaskSnapshot }): Promise<number> {
    if (this.channels === undefined) return 0;
    const { operatorId, state, create } = this.channels;
    const bytes = encodeChannelState(await state);
    if (bytes === undefined || this.aborted) return 0;
    let channelState: StateBytes = { inline: bytes };
    if (create !== undefined && bytes.length > INLINE_STATE_BYTES_MAX) {
      this.channelFile = create();
      this.channelFile.write(bytes);
      channelState = { file: await this.channelFile.finish() };
    }
    operators[operatorId] = { ...(operators[operatorId] as OperatorSubtaskSnapshot), channelState };
    return bytes.length;
  }

  private async committablesOf(part: OperatorPart): Promise<readonly Uint8Array[]> {
    try {
      return (await part.committables) ?? [];
    } catch (error) {
      this.outputLost = true;
      throw error;
    }
  }

  /** Gives the snapshot up: its changes return to the dirty sets at once, its files go. */
  async abort(): Promise<void> {
    if (this.aborted) return;
    this.aborted = true;
    for (const part of this.keyed) part.backend.abort(this.epoch);
    for (const part of this.keyed) await part.file.abort();
    for (const part of this.operators) await part.stateFile?.abort();
    await this.channelFile?.abort();
  }

  get isAborted(): boolean {
    return this.aborted;
  }
}
