/** At-least-once: barriers do not hold up channels, so a restore may count records again; it loses none. */
import { describe, expect, it } from 'vitest';
import type { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { type GatedSink, JobRig, type NumberSource } from './job-rig.test.support.js';

const NUMBERS = 4_000;

function define(env: StreamExecutionEnvironment, source: NumberSource, sink: GatedSink): void {
  env
    .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
    .keyBy((value) => value % 5)
    .reduce((a, b) => Math.max(a, b))
    .rebalance()
    .sinkTo(sink);
}

/** Slot 0 runs far ahead of slot 1 while the barrier of slot 1 is on its way. */
async function results(alignBarriers: boolean): Promise<unknown[]> {
  const options = { parallelism: 2, define, numbers: NUMBERS, alignBarriers };
  const rig = await JobRig.start(options);
  rig.sink.open();
  for (let turn = 0; turn < 3; turn++) await rig.turn(0);
  rig.trigger(1, undefined);
  for (let turn = 0; turn < 30; turn++) await rig.turn(0);
  await rig.settle();
  expect(rig.isComplete(1)).toBe(true);
  const next = await JobRig.start({ ...options, disk: rig.disk, restored: rig.metadata(1) });
  next.sink.open();
  for (let turns = 0; turns < 100 && !next.isEnded; turns++) await next.settle();
  next.trigger(11, undefined);
  await next.settle();
  next.broadcast({ type: 'complete', epoch: 11, kind: 'checkpoint' });
  await next.settle();
  return next.sink.committed;
}

describe('a restore', () => {
  it('counts records again that overtook a barrier, and loses none', async () => {
    const committed = await results(false);
    expect(committed.length).toBeGreaterThan(NUMBERS);
  });

  it('counts each once where barriers align', async () => {
    expect(await results(true)).toHaveLength(NUMBERS);
  });
});
