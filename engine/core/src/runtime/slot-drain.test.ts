/** A savepoint with which a job ends: drained, everything is sent on before it as at the end of the input; suspended, nothing is. */
import { describe, expect, it } from 'vitest';
import type { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { TumblingEventTimeWindows } from '../operators/window/assigners.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { SlotRig } from './slot.test.support.js';

/** Sums of the numbers of each ten; a number is its own time, ms. */
function windows(env: StreamExecutionEnvironment, { source, sink }: SlotRig): void {
  env
    .fromSource(
      source,
      WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((value) => value),
      'numbers',
    )
    .setParallelism(1)
    .keyBy(() => 'all')
    .window(TumblingEventTimeWindows.of(10))
    .reduce((a, b) => a + b)
    .setParallelism(1)
    .map((sum) => `sum ${sum}`)
    .setParallelism(1)
    .sinkTo(sink)
    .setParallelism(1);
}

describe('a stop with savepoint', () => {
  it('that drains fires what is open, and the savepoint holds that everything has finished', async () => {
    const rig = await SlotRig.start(windows);
    await rig.push(1, 2, 13, 24);
    await rig.stop(1, true);
    expect(rig.committables(1)).toEqual([['sum 3', 'sum 13', 'sum 24']]);
    expect(new Set(rig.finished(1))).toEqual(new Set([true]));
    expect(rig.of('ended')).toHaveLength(2);
    await rig.push(25);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'savepoint' });
    expect(rig.sink.committed).toEqual(['sum 3', 'sum 13', 'sum 24']);
    expect(rig.sink.written).toEqual([]);
  });

  it('that does not drain leaves it open', async () => {
    const rig = await SlotRig.start(windows);
    await rig.push(1, 2, 13, 24);
    await rig.stop(1, false);
    expect(rig.committables(1)).toEqual([['sum 3', 'sum 13']]);
    expect(new Set(rig.finished(1))).toEqual(new Set([false]));
    expect(rig.of('ended')).toEqual([]);
  });

  it('drains what waits for room before its barrier', async () => {
    const gate = Promise.withResolvers<void>();
    const rig = await SlotRig.start();
    rig.sink.ready = gate.promise;
    await rig.push(...new Array<number>(6_000).fill(1));
    expect(rig.built[0]?.task.isBlocked).toBe(true);
    await rig.stop(1, true);
    expect(rig.of('acknowledged')).toEqual([]);
    const { position } = rig.reader;
    rig.sink.ready = undefined;
    gate.resolve();
    await rig.settle();
    // The source has not read on, and all that it had read has arrived.
    expect(rig.reader.position).toBe(position);
    expect((rig.committables(1) as string[][]).flat()).toHaveLength(position);
  });

  it('drains a source that has ended already', async () => {
    const rig = await SlotRig.start(windows);
    await rig.push(1);
    await rig.handle({ type: 'noMoreSplits', vertexId: rig.vertex(0), subtask: 0 });
    await rig.stop(1, true);
    expect(rig.committables(1)).toEqual([['sum 1']]);
  });
});
