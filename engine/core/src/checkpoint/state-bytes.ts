/** How much state there is, in bytes; for metrics. */
import type { StateBytes, SubtaskSnapshot } from './snapshot.js';

/** Bytes of state, wherever they lie. */
export function lengthOf(state: StateBytes | undefined): number {
  if (state === undefined) return 0;
  return 'inline' in state ? state.inline.length : state.file.length;
}

/** All that a restore of the subtask reads as state: its keyed chains from their bases on, operator state, and what was on its way. */
export function stateBytesOf({ operators }: SubtaskSnapshot): number {
  let bytes = 0;
  for (const { keyedChain, operatorState, channelState } of Object.values(operators)) {
    for (const { length } of keyedChain) bytes += length;
    bytes += lengthOf(operatorState) + lengthOf(channelState);
  }
  return bytes;
}
