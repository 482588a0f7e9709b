/**
 * Operator state in a checkpoint: named states whose elements stay apart, so that they can be redistributed without being decoded.
 * Elements are bytes; what is in them is the runtime's business.
 */
import { ByteReader, ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';

/** How elements are redistributed: divided, all to all, or one copy to each. As in `OperatorStateStore`. */
export type OperatorStateKind = 'list' | 'union' | 'broadcast';

export interface NamedOperatorState {
  readonly name: string;
  readonly kind: OperatorStateKind;
  /** Each encoded; of a broadcast state the entries. */
  readonly elements: readonly Uint8Array[];
}

const KINDS: readonly OperatorStateKind[] = ['list', 'union', 'broadcast'];
const VERSION = 1;

/** All operator states of one operator of one subtask as bytes. */
export function encodeOperatorState(states: readonly NamedOperatorState[]): Uint8Array {
  const out = new ByteWriter();
  out.u8(VERSION);
  out.varint(states.length);
  for (const state of states) {
    out.string(state.name);
    out.u8(KINDS.indexOf(state.kind));
    out.varint(state.elements.length);
    for (const element of state.elements) {
      out.varint(element.length);
      out.bytes(element);
    }
  }
  return out.toBytes();
}

/** Reads what {@link encodeOperatorState} wrote. Elements are views of `bytes`. */
export function decodeOperatorState(bytes: Uint8Array): NamedOperatorState[] {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw corrupt(`its format is ${version}, not ${VERSION}`);
  const states: NamedOperatorState[] = [];
  for (let count = reader.varint(); count > 0; count--) {
    const name = reader.string();
    const kind = KINDS[reader.u8()];
    if (kind === undefined) throw corrupt(`the state '${name}' has an unknown kind`);
    const elements: Uint8Array[] = [];
    for (let left = reader.varint(); left > 0; left--) elements.push(reader.bytes(reader.varint()));
    states.push({ name, kind, elements });
  }
  if (reader.remaining > 0) throw corrupt(`${reader.remaining} bytes follow its end`);
  return states;
}

function corrupt(found: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot read operator state: ${found}.`);
}
