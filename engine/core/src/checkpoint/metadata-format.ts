/**
 * How a checkpoint's metadata is written down: the file `_metadata`, JSON with a checksum line (sealed-json.ts), bytes as base64.
 * A format on disk: golden files in test/compatibility.
 *
 * Invariants: 1. what was decoded passed its checksum; 2. decoding what was encoded gives an equal value; 3. another version of the
 * format is refused, not guessed at.
 */
import { checkpointCorruptError, checkpointVersionError } from './checkpoint-errors.js';
import { type CheckpointMetadata, hasChannelState, type OperatorSnapshotMetadata } from './metadata.js';
import { sealJson, unsealJson } from './sealed-json.js';
import type { KeyedStateFile, KeyGroupWatermark, OperatorSubtaskSnapshot, SplitSnapshot, StateBytes, StateFile } from './snapshot.js';

const FORMAT = 'millstream.checkpoint';
const FORMAT_VERSION = 1;
/** With elements that were on their way, which a reader that does not know them would lose. */
const FORMAT_VERSION_CHANNELS = 2;

/** The bytes of a `_metadata` file. */
export function encodeMetadata(metadata: CheckpointMetadata): Uint8Array {
  return sealJson({
    format: FORMAT,
    formatVersion: hasChannelState(metadata) ? FORMAT_VERSION_CHANNELS : FORMAT_VERSION,
    ...metadata,
    operators: metadata.operators.map((operator) => ({
      ...operator,
      enumeratorState: stateToJson(operator.enumeratorState),
      subtasks: operator.subtasks.map(subtaskToJson),
    })),
  });
}

/** Reads what {@link encodeMetadata} wrote. `path` and `previous` (a checkpoint to offer instead) are for errors. */
export function decodeMetadata(bytes: Uint8Array, path: string, previous: string | undefined): CheckpointMetadata {
  const unsealed = unsealJson(bytes);
  if (!unsealed.whole) throw checkpointCorruptError({ path, expected: unsealed.expected, actual: unsealed.actual, previous });
  const { format, formatVersion, ...json } = unsealed.value as MetadataJson;
  if (format !== FORMAT) throw checkpointCorruptError({ path, expected: `the format '${FORMAT}'`, actual: `'${format}'`, previous });
  if (formatVersion !== FORMAT_VERSION && formatVersion !== FORMAT_VERSION_CHANNELS)
    throw checkpointVersionError(path, formatVersion, FORMAT_VERSION_CHANNELS);
  return {
    ...json,
    operators: json.operators.map((operator) => ({
      ...operator,
      uid: operator.uid,
      enumeratorState: stateFromJson(operator.enumeratorState),
      subtasks: operator.subtasks.map(subtaskFromJson),
    })),
  };
}

/** JSON has no infinities. */
type WatermarkJson = number | 'Infinity' | '-Infinity';
type StateJson = { readonly inline: string } | { readonly file: StateFile };

interface SubtaskJson {
  readonly finished: boolean;
  readonly watermark: WatermarkJson;
  readonly keyGroupWatermarks: readonly (readonly [start: number, end: number, watermark: WatermarkJson])[];
  readonly keyedChain: readonly KeyedStateFile[];
  readonly operatorState?: StateJson | undefined;
  readonly splits: readonly { readonly split: string; readonly watermark: WatermarkJson }[];
  readonly committables: readonly string[];
  readonly channelState?: StateJson | undefined;
}

interface MetadataJson extends Omit<CheckpointMetadata, 'operators'> {
  readonly format: string;
  readonly formatVersion: number;
  readonly operators: readonly (Omit<OperatorSnapshotMetadata, 'enumeratorState' | 'subtasks'> & {
    readonly enumeratorState?: StateJson;
    readonly subtasks: readonly SubtaskJson[];
  })[];
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const watermarkToJson = (watermark: number): WatermarkJson =>
  Number.isFinite(watermark) ? watermark : watermark > 0 ? 'Infinity' : '-Infinity';

function stateToJson(state: StateBytes | undefined): StateJson | undefined {
  return state !== undefined && 'inline' in state ? { inline: toBase64(state.inline) } : state;
}

function stateFromJson(state: StateJson | undefined): StateBytes | undefined {
  return state !== undefined && 'inline' in state ? { inline: fromBase64(state.inline) } : state;
}

function subtaskToJson(subtask: OperatorSubtaskSnapshot): SubtaskJson {
  return {
    finished: subtask.finished,
    watermark: watermarkToJson(subtask.watermark),
    keyGroupWatermarks: subtask.keyGroupWatermarks.map(({ start, end, watermark }) => [start, end, watermarkToJson(watermark)]),
    keyedChain: subtask.keyedChain,
    operatorState: stateToJson(subtask.operatorState),
    splits: subtask.splits.map(({ split, watermark }) => ({ split: toBase64(split), watermark: watermarkToJson(watermark) })),
    committables: subtask.committables.map(toBase64),
    ...(subtask.channelState !== undefined && { channelState: stateToJson(subtask.channelState) }),
  };
}

function subtaskFromJson(json: SubtaskJson): OperatorSubtaskSnapshot {
  return {
    finished: json.finished,
    watermark: Number(json.watermark),
    keyGroupWatermarks: json.keyGroupWatermarks.map(
      ([start, end, watermark]): KeyGroupWatermark => ({ start, end, watermark: Number(watermark) }),
    ),
    keyedChain: json.keyedChain,
    operatorState: stateFromJson(json.operatorState),
    splits: json.splits.map(({ split, watermark }): SplitSnapshot => ({ split: fromBase64(split), watermark: Number(watermark) })),
    committables: json.committables.map(fromBase64),
    ...(json.channelState !== undefined && { channelState: stateFromJson(json.channelState) as StateBytes }),
  };
}
