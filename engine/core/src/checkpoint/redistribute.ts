/**
 * Who gets what of an operator's checkpoint at another (or the same) parallelism. Pure.
 *
 * Invariants: 1. each key group of each chain belongs to exactly one new subtask, and that one gets the whole chain (a backend takes its
 * groups and leaves the others); 2. list elements and committables go to exactly one place each, in order; 3. union elements and
 * broadcast state go to all.
 */
import { keyGroupRangeOf } from '../state/key-group.js';
import { checkMaxParallelism, isKeyed, type OperatorSnapshotMetadata } from './metadata.js';
import type { NamedOperatorState } from './operator-state.js';
import type { KeyedStateFile, OperatorSubtaskSnapshot } from './snapshot.js';

/** What one new subtask of an operator restores. Plain data. */
export interface RestoredSubtask {
  /** For `KeyedStateBackend.restore`: one chain per old subtask that shares key groups with this one. */
  readonly keyedChains: readonly (readonly KeyedStateFile[])[];
  readonly operatorState: readonly NamedOperatorState[];
  /** `OperatorContext.restoredWatermarks`; undefined if the operator is not keyed. */
  readonly keyGroupWatermarks: Float64Array | undefined;
  /** The subtask's watermark if the parallelism is the same, else the smallest of all. */
  readonly watermark: number;
  /** To be committed (again) by this subtask: all committables of some old subtasks, in order. */
  readonly committables: readonly Uint8Array[];
}

export interface RestoredOperator {
  readonly subtasks: readonly RestoredSubtask[];
  /** Of all old subtasks: for `SinkWriterContext.restoredCommittables`. */
  readonly committables: readonly Uint8Array[];
  /** All subtasks had finished: the operator has nothing to do any more. */
  readonly finished: boolean;
}

/**
 * `operatorStates`: the decoded operator state of each old subtask (`loadOperatorStates`). `maxParallelism`: the new one, which must be
 * the old one for keyed state (MAX_PARALLELISM_MISMATCH).
 */
export function redistribute(
  operator: OperatorSnapshotMetadata,
  operatorStates: readonly (readonly NamedOperatorState[])[],
  parallelism: number,
  maxParallelism: number,
): RestoredOperator {
  checkMaxParallelism(operator, maxParallelism, parallelism);
  const old = operator.subtasks;
  const states = redistributeOperatorState(operatorStates, parallelism);
  const smallestWatermark = old.reduce((least, subtask) => Math.min(least, subtask.watermark), Number.POSITIVE_INFINITY);
  const keyed = isKeyed(operator);
  const subtasks: RestoredSubtask[] = [];
  for (let index = 0; index < parallelism; index++) {
    const range = keyed ? keyGroupRangeOf(maxParallelism, parallelism, index) : undefined;
    subtasks.push({
      keyedChains: range === undefined ? [] : old.map((subtask) => subtask.keyedChain).filter((chain) => sharesGroups(chain, range)),
      operatorState: states[index] ?? [],
      keyGroupWatermarks: range === undefined ? undefined : watermarksOf(old, range),
      watermark: parallelism === old.length ? (old[index] as OperatorSubtaskSnapshot).watermark : smallestWatermark,
      committables: old.filter((_, from) => from % parallelism === index).flatMap((subtask) => subtask.committables),
    });
  }
  return {
    subtasks,
    committables: old.flatMap((subtask) => subtask.committables),
    finished: old.every((subtask) => subtask.finished),
  };
}

interface Groups {
  readonly start: number;
  readonly end: number;
}

function sharesGroups(chain: readonly KeyedStateFile[], range: Groups): boolean {
  return chain.some(({ info }) => info.keyGroups.start <= range.end && info.keyGroups.end >= range.start);
}

function watermarksOf(old: readonly OperatorSubtaskSnapshot[], range: Groups): Float64Array {
  const watermarks = new Float64Array(range.end - range.start + 1).fill(Number.NEGATIVE_INFINITY);
  for (const subtask of old) {
    for (const run of subtask.keyGroupWatermarks) {
      const first = Math.max(run.start, range.start);
      const last = Math.min(run.end, range.end);
      if (first <= last) watermarks.fill(run.watermark, first - range.start, last - range.start + 1);
    }
  }
  return watermarks;
}

/** As Flink: at the same parallelism list elements stay where they are, else they go round robin. */
function redistributeOperatorState(old: readonly (readonly NamedOperatorState[])[], parallelism: number): NamedOperatorState[][] {
  const all = new Map<string, NamedOperatorState[]>();
  for (const states of old) {
    for (const state of states) {
      const sameName = all.get(state.name);
      if (sameName === undefined) all.set(state.name, [state]);
      else sameName.push(state);
    }
  }
  const result: NamedOperatorState[][] = Array.from({ length: parallelism }, () => []);
  for (const [name, copies] of all) {
    const kind = (copies[0] as NamedOperatorState).kind;
    const elements = copies.flatMap((copy) => copy.elements);
    for (let index = 0; index < parallelism; index++) {
      const mine = (): readonly Uint8Array[] => {
        if (kind === 'union') return elements;
        const own = parallelism === old.length ? old[index]?.find((state) => state.name === name)?.elements : undefined;
        // Where barriers overtake, the copies of a broadcast state need not be alike.
        if (kind === 'broadcast') return own ?? (copies[0] as NamedOperatorState).elements;
        if (parallelism === old.length) return own ?? [];
        return elements.filter((_, at) => at % parallelism === index);
      };
      result[index]?.push({ name, kind, elements: mine() });
    }
  }
  return result;
}
