import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assembleOperators, type CheckpointMetadata, filesOf, type OperatorSnapshotMetadata, withPaths } from './metadata.js';
import { decodeMetadata, encodeMetadata } from './metadata-format.js';
import { checkRestore, type RestoringProgram } from './restore-check.js';
import {
  EMPTY_OPERATOR_SNAPSHOT,
  type KeyedStateFile,
  type OperatorSubtaskSnapshot,
  type SubtaskSnapshot,
  watermarkRuns,
} from './snapshot.js';

const keyedFile = (path: string, rows = 3): KeyedStateFile => ({
  path,
  length: 10,
  crc32: 0xdeadbeef,
  info: { kind: 'base', epoch: 4, keyGroups: { start: 0, end: 63 }, length: 10, rows },
});

const operator = (operatorId: string, subtask: Partial<OperatorSubtaskSnapshot>, uid?: string): OperatorSnapshotMetadata => ({
  operatorId,
  uid,
  name: `name of ${operatorId}`,
  parallelism: 1,
  maxParallelism: 128,
  enumeratorState: undefined,
  subtasks: [{ ...EMPTY_OPERATOR_SNAPSHOT, ...subtask }],
});

const metadataOf = (operators: readonly OperatorSnapshotMetadata[]): CheckpointMetadata => ({
  kind: 'checkpoint',
  jobName: 'flights',
  run: 'r1',
  attempt: 2,
  epoch: 7,
  timestamp: 1_700_000_000_000,
  structuralHash: '0123456789abcdef',
  jobDirectory: '/job',
  defaultParallelism: 1,
  operators,
});

describe('metadata', () => {
  it('comes back equal', () => {
    const bytes = fc.uint8Array({ maxLength: 20 });
    const watermark = fc.oneof(fc.integer(), fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY));
    const file = fc.record({ path: fc.string(), length: fc.nat(), crc32: fc.nat() });
    const state = fc.oneof(fc.record({ inline: bytes }), fc.record({ file }), fc.constant(undefined));
    const subtask = fc.record<OperatorSubtaskSnapshot>({
      finished: fc.boolean(),
      watermark,
      keyGroupWatermarks: fc.array(fc.record({ start: fc.nat(), end: fc.nat(), watermark }), { maxLength: 3 }),
      keyedChain: fc.array(fc.string().map(keyedFile), { maxLength: 2 }),
      operatorState: state,
      splits: fc.array(fc.record({ split: bytes, watermark }), { maxLength: 2 }),
      committables: fc.array(bytes, { maxLength: 2 }),
    });
    const overtaken = fc.record({ channelState: fc.oneof(fc.record({ inline: bytes }), fc.record({ file })) });
    const maybeOvertaken = fc.tuple(subtask, fc.option(overtaken)).map(([part, more]) => ({ ...part, ...more }));
    const operators = fc.array(
      fc.record<OperatorSnapshotMetadata>({
        operatorId: fc.string({ unit: 'grapheme' }),
        uid: fc.option(fc.string(), { nil: undefined }),
        name: fc.string(),
        parallelism: fc.nat(),
        maxParallelism: fc.nat(),
        enumeratorState: state,
        subtasks: fc.array(maybeOvertaken, { maxLength: 2 }),
      }),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(operators, (each) => {
        const metadata = metadataOf(each);
        expect(decodeMetadata(encodeMetadata(metadata), '/p', undefined)).toEqual(metadata);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('names a damaged file, both checksums, and the checkpoint before it', () => {
    const bytes = encodeMetadata(metadataOf([]));
    bytes[20] = (bytes[20] as number) ^ 1;
    const decode = (): unknown => decodeMetadata(bytes, '/job/chk-7/_metadata', '/job/chk-6');
    expect(decode).toThrow(expect.objectContaining({ code: 'CHECKPOINT_CORRUPT' }));
    expect(decode).toThrow(
      /'\/job\/chk-7\/_metadata': expected [0-9a-f]{8} over \d+ bytes, found [0-9a-f]{8} over \d+ bytes.*--from \/job\/chk-6/,
    );
  });

  it('is put together by operator, and needs every subtask', () => {
    const descriptions = ['a', 'b', 'c'].map((id) => ({
      operatorId: id,
      uid: undefined,
      name: id,
      vertexId: id === 'c' ? 'v2' : 'v1',
      parallelism: 2,
      maxParallelism: 8,
    }));
    const part = (watermark: number): OperatorSubtaskSnapshot => ({ ...EMPTY_OPERATOR_SNAPSHOT, watermark });
    const snapshot = (vertexId: string, subtaskIndex: number, operators: SubtaskSnapshot['operators']): SubtaskSnapshot => ({
      epoch: 1,
      vertexId,
      subtaskIndex,
      operators,
      writtenBytes: 0,
    });
    const snapshots = [
      snapshot('v1', 1, { a: part(11) }),
      snapshot('v2', 0, {}),
      snapshot('v1', 0, { a: part(10) }),
      snapshot('v2', 1, {}),
    ];
    const enumerators = new Map([['b', { inline: Buffer.from('e') }]]);
    const assembled = assembleOperators(descriptions, snapshots, enumerators);
    expect(assembled.map((each) => each.operatorId)).toEqual(['a', 'b']);
    expect(assembled[0]?.subtasks.map((each) => each.watermark)).toEqual([10, 11]);
    expect(assembled[1]).toMatchObject({
      enumeratorState: enumerators.get('b'),
      subtasks: [EMPTY_OPERATOR_SNAPSHOT, EMPTY_OPERATOR_SNAPSHOT],
    });
    expect(() => assembleOperators(descriptions, snapshots.slice(1), enumerators)).toThrow("lacks subtask 1 of 'v1'");
  });

  it('is of the first version unless it holds what was on its way, which a reader of that version would lose', () => {
    const versionOf = (subtask: Partial<OperatorSubtaskSnapshot>): unknown =>
      JSON.parse(new TextDecoder().decode(encodeMetadata(metadataOf([operator('a', subtask)]))).split('\n')[0] as string).formatVersion;
    expect([versionOf({}), versionOf({ channelState: { inline: new Uint8Array(3) } })]).toEqual([1, 2]);
  });

  it('lists every file it needs', () => {
    const file = { path: '../shared/o', length: 1, crc32: 1 };
    const metadata = metadataOf([
      {
        ...operator('a', {
          keyedChain: [keyedFile('../shared/1'), keyedFile('../shared/2')],
          operatorState: { file },
          channelState: { file: { ...file, path: '../shared/c' } },
        }),
        enumeratorState: { inline: new Uint8Array(1) },
      },
      { ...operator('b', { keyedChain: [keyedFile('../shared/2')] }), enumeratorState: { file: { ...file, path: 'e' } } },
    ]);
    expect([...filesOf(metadata)].sort()).toEqual(['../shared/1', '../shared/2', '../shared/c', '../shared/o', 'e']);
    const moved = withPaths(metadata, (path) => `/new/${path}`);
    expect([...filesOf(moved)].sort()).toEqual(['/new/../shared/1', '/new/../shared/2', '/new/../shared/c', '/new/../shared/o', '/new/e']);
    expect(withPaths(moved, (path) => path.slice('/new/'.length))).toEqual(metadata);
  });
});

describe('watermarkRuns', () => {
  it('says for each group the larger of restored and live watermark, in as few runs as possible', () => {
    const watermark = fc.constantFrom(Number.NEGATIVE_INFINITY, 1, 2, 3, Number.POSITIVE_INFINITY);
    fc.assert(
      fc.property(
        fc.nat(5),
        fc.array(watermark, { minLength: 1, maxLength: 12 }),
        watermark,
        fc.boolean(),
        (start, groups, live, restored) => {
          const range = { start, end: start + groups.length - 1 };
          const runs = watermarkRuns(range, live, restored ? Float64Array.from(groups) : undefined);
          const expanded = runs.flatMap((run) => Array.from({ length: run.end - run.start + 1 }, () => run.watermark));
          expect(expanded).toEqual(groups.map((group) => (restored ? Math.max(group, live) : live)));
          expect(runs[0]?.start).toBe(start);
          for (let i = 1; i < runs.length; i++) {
            expect(runs[i]?.start).toBe((runs[i - 1]?.end ?? 0) + 1);
            expect(runs[i]?.watermark).not.toBe(runs[i - 1]?.watermark);
          }
        },
      ),
      { seed: 2, numRuns: 300 },
    );
  });
});

describe('checkRestore', () => {
  const program = (jobName: string, ...ids: string[]): RestoringProgram => ({
    jobName,
    operators: ids.map((operatorId) => ({ operatorId, maxParallelism: undefined })),
  });
  const withState = { committables: [new Uint8Array(1)] };

  it('matches by id and tells who starts empty', () => {
    const metadata = metadataOf([operator('uid:count', withState, 'count'), operator('auto:map', {})]);
    const check = checkRestore(metadata, '/c', program('flights', 'uid:count', 'uid:new'), { allowNonRestoredState: false });
    expect(check.matched.map((each) => each.operatorId)).toEqual(['uid:count']);
    expect(check.starting).toEqual(['uid:new']);
    expect(check.left).toEqual([]);
  });

  it('names state that no operator takes, unless it may be left behind', () => {
    const metadata = metadataOf([operator('uid:count', withState, 'count'), operator('auto:9f', { keyedChain: [keyedFile('f')] })]);
    const check = (allowNonRestoredState: boolean): unknown => checkRestore(metadata, '/c', program('other'), { allowNonRestoredState });
    expect(() => check(false)).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_OF_ANOTHER_JOB', details: expect.objectContaining({ operators: ['count', 'auto:9f'] }) }),
    );
    expect(() => check(false)).toThrow(/job 'flights' into 'other'.*'count' \(name of uid:count\), auto:9f.*--allow-non-restored-state/);
    expect(check(true)).toMatchObject({ left: [{ operatorId: 'uid:count' }, { operatorId: 'auto:9f' }] });
  });

  it('lets a job be renamed if its operators have uids', () => {
    const options = { allowNonRestoredState: false };
    const named = metadataOf([operator('uid:count', withState, 'count')]);
    expect(checkRestore(named, '/c', program('renamed', 'uid:count'), options).matched).toHaveLength(1);
    const unnamed = metadataOf([operator('auto:1', withState)]);
    expect(() => checkRestore(unnamed, '/c', program('renamed', 'auto:1'), options)).toThrow(/of the job 'flights'/);
    expect(checkRestore(unnamed, '/c', program('flights', 'auto:1'), options).matched).toHaveLength(1);
  });

  it('refuses another maximum parallelism for keyed state only', () => {
    const restoring = { jobName: 'flights', operators: [{ operatorId: 'uid:a', maxParallelism: 64 }] };
    const options = { allowNonRestoredState: false };
    const keyed = metadataOf([operator('uid:a', { keyedChain: [keyedFile('f')] }, 'a')]);
    expect(() => checkRestore(keyed, '/c', restoring, options)).toThrow(expect.objectContaining({ code: 'MAX_PARALLELISM_MISMATCH' }));
    expect(() => checkRestore(keyed, '/c', restoring, options)).toThrow('setMaxParallelism(128)');
    expect(checkRestore(metadataOf([operator('uid:a', withState, 'a')]), '/c', restoring, options).matched).toHaveLength(1);
  });
});
