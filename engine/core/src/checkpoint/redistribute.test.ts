import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyGroupRangeOf, subtaskOfKeyGroup } from '../state/key-group.js';
import type { OperatorSnapshotMetadata } from './metadata.js';
import { decodeOperatorState, encodeOperatorState, type NamedOperatorState } from './operator-state.js';
import { redistribute } from './redistribute.js';
import { EMPTY_OPERATOR_SNAPSHOT, type KeyedStateFile, watermarkRuns } from './snapshot.js';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** An operator whose every part says where it comes from. */
function createOperator(
  parallelism: number,
  maxParallelism: number,
  each: { splits: number; committables: number; deltas: number },
): OperatorSnapshotMetadata {
  const subtasks = Array.from({ length: parallelism }, (_, index) => {
    const range = keyGroupRangeOf(maxParallelism, parallelism, index);
    const chain = Array.from(
      { length: each.deltas + 1 },
      (_, position): KeyedStateFile => ({
        path: `${index}/${position}`,
        length: 0,
        crc32: 0,
        info: { kind: position === 0 ? 'base' : 'delta', epoch: position, keyGroups: range, length: 0, rows: 1 },
      }),
    );
    return {
      ...EMPTY_OPERATOR_SNAPSHOT,
      watermark: 100 + index,
      keyGroupWatermarks: watermarkRuns(range, 100 + index, undefined),
      keyedChain: chain,
      splits: Array.from({ length: each.splits }, (_, i) => ({ split: bytesOf(`${index}.${i}`), watermark: i })),
      committables: Array.from({ length: each.committables }, (_, i) => bytesOf(`${index}.${i}`)),
    };
  });
  return { operatorId: 'uid:a', uid: 'a', name: 'a', parallelism, maxParallelism, enumeratorState: undefined, subtasks };
}

const parallelism = fc.integer({ min: 1, max: 9 });
const maxParallelism = fc.integer({ min: 9, max: 40 });
const counts = fc.record({ splits: fc.nat(3), committables: fc.nat(3), deltas: fc.nat(2) });

describe('redistribute', () => {
  it('gives each key group of each chain to exactly one subtask, with its watermark', () => {
    fc.assert(
      fc.property(parallelism, parallelism, maxParallelism, counts, (from, to, max, each) => {
        const operator = createOperator(from, max, each);
        const restored = redistribute(operator, [], to, max);
        expect(restored.subtasks).toHaveLength(to);
        for (let group = 0; group < max; group++) {
          const oldSubtask = subtaskOfKeyGroup(max, from, group);
          const newSubtask = subtaskOfKeyGroup(max, to, group);
          const target = restored.subtasks[newSubtask];
          expect(target?.keyedChains).toContainEqual(operator.subtasks[oldSubtask]?.keyedChain);
          const range = keyGroupRangeOf(max, to, newSubtask);
          expect(target?.keyGroupWatermarks?.[group - range.start]).toBe(100 + oldSubtask);
        }
        restored.subtasks.forEach((subtask, index) => {
          const range = keyGroupRangeOf(max, to, index);
          const oldOwners = new Set<number>();
          for (let group = range.start; group <= range.end; group++) oldOwners.add(subtaskOfKeyGroup(max, from, group));
          expect(subtask.keyedChains).toEqual([...oldOwners].map((owner) => operator.subtasks[owner]?.keyedChain));
          expect(subtask.keyGroupWatermarks).toHaveLength(range.end - range.start + 1);
        });
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('loses and doubles no split, committable or list element, and keeps the order of an old subtask', () => {
    const elementCounts = fc.array(fc.nat(5), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(parallelism, parallelism, counts, elementCounts, (from, to, each, elements) => {
        const operator = createOperator(from, 40, each);
        const states = operator.subtasks.map((_, index): NamedOperatorState[] => [
          { name: 'l', kind: 'list', elements: Array.from({ length: elements[index] ?? 0 }, (_, i) => bytesOf(`${index}.${i}`)) },
        ]);
        const restored = redistribute(operator, states, to, 40);
        const all = operator.subtasks.flatMap((subtask) => subtask.committables.map(textOf));
        expect(restored.committables.map(textOf)).toEqual(all);
        const committed = restored.subtasks.map((subtask) => subtask.committables.map(textOf));
        expect(committed.flat().sort()).toEqual([...all].sort());
        for (const list of committed) expect(list).toEqual(all.filter((text) => list.includes(text)));
        const lists = restored.subtasks.map((subtask) => subtask.operatorState[0]?.elements.map(textOf) ?? []);
        expect(lists.flat().sort()).toEqual(states.flatMap(([state]) => state?.elements.map(textOf) ?? []).sort());
        if (from === to) expect(lists).toEqual(states.map(([state]) => state?.elements.map(textOf)));
        else expect(Math.max(...lists.map((list) => list.length)) - Math.min(...lists.map((list) => list.length))).toBeLessThanOrEqual(1);
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  it('gives union elements to all and broadcast state to each once', () => {
    const operator = createOperator(2, 8, { splits: 0, committables: 0, deltas: 0 });
    const states: NamedOperatorState[][] = [0, 1].map((index) => [
      { name: 'u', kind: 'union', elements: [bytesOf(`u${index}`)] },
      { name: 'b', kind: 'broadcast', elements: [bytesOf('b')] },
    ]);
    const restored = redistribute(operator, states, 3, 8);
    for (const subtask of restored.subtasks) {
      expect(subtask.operatorState.map((state) => [state.name, state.kind, state.elements.map(textOf)])).toEqual([
        ['u', 'union', ['u0', 'u1']],
        ['b', 'broadcast', ['b']],
      ]);
      expect(subtask.watermark).toBe(100);
    }
    expect(redistribute(operator, states, 2, 8).subtasks.map((subtask) => subtask.watermark)).toEqual([100, 101]);
  });

  it('leaves each subtask its own copy of broadcast state at the same parallelism', () => {
    const operator = createOperator(2, 8, { splits: 0, committables: 0, deltas: 0 });
    const states = ['first', 'second'].map((text): NamedOperatorState[] => [{ name: 'b', kind: 'broadcast', elements: [bytesOf(text)] }]);
    const copies = redistribute(operator, states, 2, 8).subtasks.map(({ operatorState }) => operatorState[0]?.elements.map(textOf));
    expect(copies).toEqual([['first'], ['second']]);
  });

  it('is finished only if all subtasks were', () => {
    const operator = createOperator(2, 8, { splits: 0, committables: 0, deltas: 0 });
    const finish = (...flags: boolean[]): OperatorSnapshotMetadata => ({
      ...operator,
      subtasks: operator.subtasks.map((subtask, index) => ({ ...subtask, finished: flags[index] === true })),
    });
    expect(redistribute(finish(true, false), [], 1, 8).finished).toBe(false);
    expect(redistribute(finish(true, true), [], 1, 8).finished).toBe(true);
  });

  it('refuses other key groups, and more subtasks than key groups', () => {
    const operator = createOperator(2, 8, { splits: 0, committables: 0, deltas: 0 });
    expect(() => redistribute(operator, [], 2, 16)).toThrow(expect.objectContaining({ code: 'MAX_PARALLELISM_MISMATCH' }));
    expect(() => redistribute(operator, [], 9, 8)).toThrow('parallelism 8 or less');
  });
});

describe('operator state bytes', () => {
  it('come back equal', () => {
    const state = fc.record<NamedOperatorState>({
      name: fc.string({ unit: 'binary' }),
      kind: fc.constantFrom('list', 'union', 'broadcast'),
      elements: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(state, { maxLength: 5 }), (states) => {
        const readable = (all: readonly NamedOperatorState[]): unknown =>
          all.map(({ name, kind, elements }) => [name, kind, elements.map((element) => Buffer.from(element).toString('hex'))]);
        expect(readable(decodeOperatorState(encodeOperatorState(states)))).toEqual(readable(states));
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  it('are refused when they are not that', () => {
    const bytes = encodeOperatorState([{ name: 'a', kind: 'list', elements: [bytesOf('x')] }]);
    expect(() => decodeOperatorState(bytes.subarray(0, bytes.length - 1))).toThrow(expect.objectContaining({ code: 'CORRUPT_DATA' }));
    expect(() => decodeOperatorState(Buffer.concat([bytes, bytes]))).toThrow('follow its end');
    expect(() => decodeOperatorState(bytes.with(0, 9))).toThrow('format is 9');
  });
});
