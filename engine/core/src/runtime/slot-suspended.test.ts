/** A suspended task, whose calls have not settled, does not delay a barrier: the inputs of the calls are in the snapshot. */
import { describe, expect, it } from 'vitest';
import type { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { decodeOperatorState } from '../checkpoint/operator-state.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { decodeValue } from './operator-state.js';
import { SlotRig } from './slot.test.support.js';

const never = (): Promise<string> => new Promise(() => undefined);

/** Calls in the source's own chain. */
function chained(env: StreamExecutionEnvironment, { source, sink }: SlotRig): void {
  env
    .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
    .setParallelism(1)
    .mapAsync(never, { capacity: 2 })
    .setParallelism(1)
    .sinkTo(sink)
    .setParallelism(1);
}

/** Calls behind a shuffle. */
function shuffled(env: StreamExecutionEnvironment, { source, sink }: SlotRig): void {
  env
    .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
    .setParallelism(1)
    .rebalance()
    .mapAsync(never, { capacity: 2 })
    .setParallelism(1)
    .sinkTo(sink)
    .setParallelism(1);
}

/** What an epoch's snapshots say is in flight. */
function inFlight(rig: SlotRig, epoch: number): unknown[] {
  return rig
    .of('acknowledged')
    .filter(({ snapshot }) => snapshot.epoch === epoch)
    .flatMap(({ snapshot }) => Object.values(snapshot.operators))
    .flatMap(({ operatorState }) =>
      operatorState !== undefined && 'inline' in operatorState ? decodeOperatorState(operatorState.inline) : [],
    )
    .filter(({ name }) => name === 'in-flight')
    .flatMap(({ elements }) => elements.map((element) => (decodeValue(element) as { value: unknown }).value));
}

describe('calls that do not settle', () => {
  it('are in the snapshot of a source that they have stopped, with the rest of its batch', async () => {
    const rig = await SlotRig.start(chained);
    rig.reader.batchSize = 5;
    await rig.push(1, 2, 3, 4, 5, 6, 7);
    await rig.trigger(1);
    expect(rig.acknowledged(1)).toHaveLength(rig.built.length);
    expect(inFlight(rig, 1)).toEqual([1, 2, 3, 4, 5]);
    expect(rig.reader.position).toBe(5);
    await rig.trigger(2);
    expect(inFlight(rig, 2)).toEqual([1, 2, 3, 4, 5]);
  });

  it('do not hide a barrier that is next', async () => {
    const rig = await SlotRig.start(shuffled);
    await rig.push(1, 2);
    await rig.trigger(1);
    expect(rig.acknowledged(1)).toHaveLength(rig.built.length);
    expect(inFlight(rig, 1)).toEqual([1, 2]);
  });
});
