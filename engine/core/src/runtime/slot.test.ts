/** A slot: checkpoints, commits, failures, waiting. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createDiskError } from '../common/disk-error.js';
import type { KeyedProcessFunction } from '../operators/process.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { decodeValue } from './operator-state.js';
import { Count, SlotRig } from './slot.test.support.js';

/** How a record is known again that no source position names. */
const CHECKSUM = /^\d+ bytes with checksum [0-9a-f]{8}$/;

let rig: SlotRig;

beforeEach(async () => {
  Count.opened = () => undefined;
  Count.closed = () => undefined;
  rig = await SlotRig.start();
});

describe('a checkpoint', () => {
  it('is acknowledged once by each subtask, when all is durable; then committed once', async () => {
    await rig.push(1, 2, 11);
    expect(rig.sink.written).toEqual(['1: 1', '2: 1', '1: 2']);
    await rig.trigger(1);
    expect(rig.acknowledged(1).sort()).toEqual([rig.vertex(0), rig.vertex(1)].sort());
    const [keyed] = rig
      .of('acknowledged')
      .flatMap(({ snapshot }) => Object.values(snapshot.operators).filter(({ keyedChain }) => keyedChain.length > 0));
    const path = keyed?.keyedChain[0]?.path.replace('../', '') as string;
    rig.disk.crash();
    expect(rig.stateFiles()).toEqual([path]);
    const splits = rig
      .of('acknowledged')
      .flatMap(({ snapshot }) => Object.values(snapshot.operators).flatMap((operator) => operator.splits));
    expect(splits.map(({ split }) => decodeValue(split))).toEqual([{ id: 'split', position: 3 }]);
    expect([rig.sink.committed, rig.of('committed')]).toEqual([[], []]);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    expect(rig.sink.committed).toEqual(['1: 1', '2: 1', '1: 2']);
    expect(rig.of('committed')).toEqual([{ type: 'committed', epoch: 1 }]);
    await rig.push(1);
    await rig.trigger(2, 1);
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    expect(rig.sink.committed.slice(3)).toEqual(['1: 3']);
  });

  it('continues the chain of the last complete one, and only of that', async () => {
    await rig.push(...Array.from({ length: 500 }, (_, at) => at % 10));
    await rig.push(...Array.from({ length: 10 }, (_, at) => at));
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.push(1);
    await rig.trigger(2, 1);
    await rig.handle({ type: 'abort', epoch: 2 });
    await rig.push(2);
    await rig.trigger(3, 1);
    expect(rig.chainOf(1)).toEqual(['base 1']);
    expect(rig.chainOf(3)).toEqual(['base 1', 'delta 3']);
    // What changed for the aborted epoch is in the next delta, too.
    const rows = rig.of('acknowledged').filter(({ snapshot }) => snapshot.epoch === 3);
    const infos = rows.flatMap(({ snapshot }) =>
      Object.values(snapshot.operators).flatMap(({ keyedChain }) => keyedChain.map(({ info }) => info.rows)),
    );
    expect(infos.at(-1)).toBeGreaterThanOrEqual(2);
  });

  it('continues the chain of the last complete one though its barrier overtakes the news of that', async () => {
    await rig.push(...Array.from({ length: 500 }, (_, at) => at % 10));
    for (const [epoch, completed] of [
      [1, 0],
      [2, 1],
      [3, 2],
    ] as const) {
      await rig.push(epoch);
      await rig.trigger(epoch, completed);
    }
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    expect([1, 2, 3].map((epoch) => rig.chainOf(epoch))).toEqual([['base 1'], ['base 1', 'delta 2'], ['base 1', 'delta 2', 'delta 3']]);
    expect(rig.sink.committed.length).toBe(502);
  });

  it('is not relative to a savepoint, which is whole by itself; its sinks commit all the same', async () => {
    await rig.push(...Array.from({ length: 500 }, (_, at) => at % 10));
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.push(1);
    await rig.handle({
      type: 'trigger',
      epoch: 2,
      completed: 1,
      kind: 'savepoint',
      savepoint: undefined,
      drain: false,
      overtakeAfterMs: undefined,
    });
    const committed = rig.sink.committed.length;
    await rig.handle({ type: 'complete', epoch: 2, kind: 'savepoint' });
    expect(rig.sink.committed.length).toBe(committed + 1);
    expect(rig.of('committed').at(-1)).toEqual({ type: 'committed', epoch: 2 });
    await rig.push(2);
    await rig.trigger(3, 1);
    expect([rig.chainOf(1), rig.chainOf(2), rig.chainOf(3)]).toEqual([['base 1'], ['base 2'], ['base 1', 'delta 3']]);
  });

  it('that is aborted before its barrier was seen makes no snapshot, passes its barrier on, and leaves the next one whole', async () => {
    await rig.push(1);
    rig.slot.handle({
      type: 'trigger',
      epoch: 1,
      completed: 0,
      kind: 'checkpoint',
      savepoint: undefined,
      drain: false,
      overtakeAfterMs: undefined,
    });
    rig.slot.handle({ type: 'abort', epoch: 1 });
    await rig.settle();
    expect([rig.acknowledged(1), rig.stateFiles(), rig.of('declined')]).toEqual([[], [], []]);
    expect(rig.sink.written).toEqual(['1: 1']);
    await rig.trigger(2);
    expect(rig.acknowledged(2).length).toBe(2);
    expect(rig.committables(2)).toEqual([['1: 1']]);
  });

  it('that is aborted while it is made durable is not acknowledged, and its files go', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.prepare = () => gate.promise;
    await rig.push(1);
    await rig.trigger(1);
    expect(rig.acknowledged(1)).toEqual([rig.vertex(0)]);
    await rig.handle({ type: 'abort', epoch: 1 });
    gate.resolve();
    await rig.settle();
    expect([rig.acknowledged(1), rig.stateFiles(), rig.of('declined')]).toEqual([[rig.vertex(0)], [], []]);
    await rig.push(2);
    await rig.trigger(2);
    expect(rig.acknowledged(2).length).toBe(2);
    // What the aborted epoch would have committed travels in this one.
    expect(rig.committables(2)).toEqual([['1: 1'], ['2: 1']]);
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    expect(rig.sink.committed).toEqual(['1: 1', '2: 1']);
  });

  it('that cannot be written is declined, and the next one has everything', async () => {
    await rig.push(1, 2);
    rig.disk.fault = (operation, path) =>
      operation === 'sync' && path.includes('/shared/') ? createDiskError('EIO', 'sync', path) : undefined;
    await rig.trigger(1);
    expect(rig.of('declined').map(({ epoch, vertexId }) => [epoch, vertexId])).toEqual([[1, rig.vertex(1)]]);
    rig.disk.fault = undefined;
    await rig.handle({ type: 'abort', epoch: 1 });
    await rig.trigger(2);
    expect(rig.acknowledged(2).length).toBe(2);
    expect(rig.committables(2)).toEqual([['1: 1', '2: 1']]);
    expect(rig.stateFiles().length).toBe(1);
  });

  it('names what an earlier one has not committed yet', async () => {
    const commits: PromiseWithResolvers<void>[] = [];
    rig.sink.beforeCommit = () => {
      const gate = Promise.withResolvers<void>();
      commits.push(gate);
      return gate.promise;
    };
    await rig.push(1);
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.push(2);
    await rig.trigger(2, 1);
    expect(rig.committables(2)).toEqual([['1: 1'], ['2: 1']]);
    expect(rig.of('committed')).toEqual([]);
    commits[0]?.resolve();
    await rig.settle();
    expect(rig.of('committed')).toEqual([{ type: 'committed', epoch: 1 }]);
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    for (const gate of commits) gate.resolve();
    await rig.settle();
    expect(rig.of('committed').map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(rig.sink.committed).toEqual(['1: 1', '2: 1']);
  });

  it('fails the task if output is lost', async () => {
    rig.sink.prepare = () => Promise.reject(new Error('disk gone'));
    await rig.push(1);
    await rig.trigger(1);
    expect(rig.of('failed').map(({ error }) => error.message)).toEqual([expect.stringContaining('disk gone')]);
  });

  it('fails the job if it cannot be committed, naming the sink', async () => {
    rig.sink.beforeCommit = () => Promise.reject(new Error('no rights'));
    await rig.push(1);
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    expect(rig.of('failed').map(({ error }) => error.message)).toEqual(["Operator 'sink', subtask 0 failed after 1 records: no rights"]);
    expect(rig.of('committed')).toEqual([]);
  });

  it('of a source without room comes when there is room, after the records before', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.ready = gate.promise;
    const values = Array.from({ length: 6_000 }, (_, at) => at % 1000).filter((value) => value !== 13);
    await rig.push(...values);
    expect(rig.built[0]?.task.isBlocked).toBe(true);
    await rig.trigger(1);
    expect(rig.of('acknowledged')).toEqual([]);
    rig.sink.ready = undefined;
    gate.resolve();
    await rig.settle();
    expect(rig.acknowledged(1).length).toBe(2);
    const [committed] = rig.committables(1) as string[][];
    expect(committed?.length).toBeGreaterThan(256);
    await rig.trigger(2);
    expect((rig.committables(2) as string[][]).flat().length + rig.sink.written.length).toBe(values.length);
  });

  it('is answered after the end of the input, too, and holds that the subtasks have finished', async () => {
    await rig.push(1);
    await rig.handle({ type: 'noMoreSplits', vertexId: rig.vertex(0), subtask: 0 });
    expect(rig.of('ended').map(({ vertexId }) => vertexId)).toEqual([rig.vertex(0), rig.vertex(1)]);
    await rig.trigger(1);
    expect(rig.acknowledged(1).length).toBe(2);
    expect(new Set(rig.finished(1))).toEqual(new Set([true]));
    expect(rig.committables(1)).toEqual([['1: 1']]);
  });
});

describe('a failure', () => {
  it('names operator, uid, subtask and the position in the split, and stops everything', async () => {
    await rig.push(1, 2, 13, 4);
    const [failed] = rig.of('failed');
    expect(failed?.error).toMatchObject({
      code: 'OPERATOR_FAILED',
      message: "Operator 'check' (uid 'check-1'), subtask 0 failed at record 2 of split 'split': unlucky",
      stack: expect.stringContaining('slot.test.support.ts'),
    });
    expect(failed?.position).toEqual({
      operator: 'check-1',
      position: "record 2 of split 'split'",
      record: expect.stringMatching(CHECKSUM),
    });
    const { written } = rig.sink;
    await rig.push(5);
    expect([rig.slot.isStopped, rig.sink.written, rig.of('failed').length]).toEqual([true, written, 1]);
  });

  it('behind a shuffle names the record of the subtask', async () => {
    await rig.push(1, 2, -3);
    expect(rig.of('failed')).toMatchObject([
      {
        error: { message: "Operator 'count' (uid 'count-1'), subtask 0 failed at record 3 of the subtask: negative -3" },
        position: { operator: 'count-1', position: 'record 3 of the subtask', record: expect.stringMatching(CHECKSUM) },
      },
    ]);
  });

  it('in a timer names the operator, and no record', async () => {
    await rig.push(1001);
    rig.clock.advanceBy(100);
    await rig.settle();
    expect(rig.of('failed')).toMatchObject([
      { error: { message: "Operator 'count' (uid 'count-1'), subtask 0 failed after 1 records: timer broken" }, position: undefined },
    ]);
  });

  it('of the reader names the source', async () => {
    rig.reader.poll = () => {
      throw new Error('connection lost');
    };
    await rig.push(1);
    expect(rig.of('failed')).toMatchObject([
      { error: { message: "Operator 'numbers', subtask 0 failed after 0 records: connection lost" } },
    ]);
  });

  it('is not what a reader reports: records that its option leaves out are counted', async () => {
    rig.reader.context.reportError(new Error('not a number'), 'numbers.csv:7');
    await rig.push(1);
    expect([rig.of('failed'), rig.sink.written, rig.slot.metrics()[0]?.recordsInErrors]).toEqual([[], ['1: 1'], 1]);
  });

  it('in open names the operator', async () => {
    Count.opened = () => {
      throw new Error('no connection');
    };
    const other = await SlotRig.build();
    await expect(other.slot.open()).rejects.toMatchObject({
      code: 'OPERATOR_FAILED',
      message: "Operator 'count' (uid 'count-1'), subtask 0 failed after 0 records: no connection",
    });
  });

  it('in close does not keep the others from being closed', async () => {
    Count.closed = () => {
      throw new Error('still in use');
    };
    const failures = (await rig.slot.close()).map((error) => (error as Error).message);
    expect(failures).toEqual(["Operator 'count' (uid 'count-1'), subtask 0 failed after 0 records: still in use"]);
    expect([rig.sink.closed, rig.reader.closed]).toEqual([true, true]);
  });

  it('of a value that the record model does not allow names the operator on local edges, too', async () => {
    const other = await SlotRig.start((env, { source, sink }) => {
      env
        .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
        .setParallelism(1)
        .map((value) => ({ value, later: () => value }) as unknown as { value: number })
        .name('wrap')
        .setParallelism(1)
        .keyBy(({ value }) => value)
        .process(new Count() as unknown as KeyedProcessFunction<number, { value: number }, string>)
        .setParallelism(1)
        .sinkTo(sink)
        .setParallelism(1);
    });
    await other.push(1);
    expect(other.of('failed')).toMatchObject([
      { error: { code: 'UNSUPPORTED_VALUE', message: expect.stringMatching(/value\.later.*operator 'wrap'/) } },
    ]);
  });
});

describe('waiting', () => {
  it('ends when a partly filled batch is due, or a timer, or the next watermark', async () => {
    rig.reader.push(1);
    await rig.settle();
    expect(rig.sink.written).toEqual([]);
    expect(rig.slot.nextTurnIn()).toBeGreaterThan(0);
    expect(rig.slot.nextTurnIn()).toBeLessThanOrEqual(100);
    rig.clock.advanceBy(rig.slot.nextTurnIn());
    await rig.settle();
    expect(rig.sink.written).toEqual(['1: 1']);
    expect(rig.slot.nextTurnIn()).toBe(200);
    await rig.push(2);
    rig.reader.push(1001);
    await rig.settle();
    rig.clock.advanceBy(100);
    await rig.settle();
    expect(rig.slot.nextTurnIn()).toBe(51);
  });

  it('has no end of its own once all have ended, or while there is no room', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.ready = gate.promise;
    await rig.push(...new Array<number>(6_000).fill(1));
    expect(rig.built[0]?.task.isBlocked).toBe(true);
    expect(rig.slot.nextTurnIn()).toBe(Number.POSITIVE_INFINITY);
    rig.sink.ready = undefined;
    gate.resolve();
    await rig.handle({ type: 'noMoreSplits', vertexId: rig.vertex(0), subtask: 0 });
    expect(rig.of('ended').length).toBe(2);
    expect(rig.slot.nextTurnIn()).toBe(Number.POSITIVE_INFINITY);
  });

  it('is told apart in the metrics: for room, and for input', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.ready = gate.promise;
    await rig.push(...new Array<number>(6_000).fill(1));
    const before = rig.slot.metrics();
    rig.clock.advanceBy(5_000);
    const after = rig.slot.metrics();
    const grown = (at: number): number[] => [
      (after[at]?.backPressuredMs as number) - (before[at]?.backPressuredMs as number),
      (after[at]?.idleMs as number) - (before[at]?.idleMs as number),
    ];
    expect([grown(0), grown(1)]).toEqual([
      [5_000, 0],
      [0, 5_000],
    ]);
  });
});
