/** Readers that restart alone: which splits they get, and which the enumerator hands out again. */
import { describe, expect, it } from 'vitest';
import { MemoryDisk } from '../common/memory-disk.js';
import type { Source, SourceSplit } from '../connector/source.js';
import { PullEnumerator, SpreadEnumerator } from '../connector/static-enumerator.js';
import { decodeValue, encodeValue } from '../runtime/operator-state.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import type { RestoredSource } from './restore-shares.js';
import { SourceCoordinator } from './source-coordinator.js';

type Enumerator = typeof PullEnumerator<SourceSplit> | typeof SpreadEnumerator<SourceSplit>;

interface Rig {
  readonly coordinator: SourceCoordinator;
  /** What readers were told, and its end. */
  readonly told: string[];
}

async function start(enumerator: Enumerator, splits: readonly string[], parallelism: number): Promise<Rig> {
  const told: string[] = [];
  const source = {
    boundedness: 'bounded',
    createEnumerator: (context) => new enumerator(context, () => splits.map((id) => ({ id })), undefined),
    createReader: () => {
      throw new Error('there are no readers here');
    },
  } satisfies Source<unknown>;
  const coordinator = new SourceCoordinator({
    vertexId: 'source',
    source,
    watermarks: WatermarkStrategy.noWatermarks(),
    parallelism,
    clock: new VirtualClock(0),
    disk: new MemoryDisk(),
    assign: (subtask, assigned, watermarks) => {
      assigned.forEach((split, at) => told.push(`${subtask}: ${(decodeValue(split) as SourceSplit).id} ${watermarks[at]}`));
    },
    noMoreSplits: (subtask) => told.push(`${subtask}: no more`),
    align: () => undefined,
    fail: (error) => told.push(`failed: ${String(error)}`),
    restored: undefined,
  });
  await coordinator.started();
  return { coordinator, told };
}

async function request({ coordinator, told }: Rig, subtask: number): Promise<string[]> {
  coordinator.requestSplit(subtask);
  await coordinator.started();
  await Promise.resolve();
  return told.splice(0);
}

/** What a checkpoint has of the readers: ids of splits, by subtask. */
function restored(...ids: readonly string[][]): RestoredSource {
  return { enumeratorState: undefined, splits: ids.map((of) => of.map((id) => ({ split: encodeValue({ id }), watermark: 5 }))) };
}

describe('readers that restart while others go on', () => {
  it('have again what the checkpoint knows with them, and what they were given since is given anew', async () => {
    const rig = await start(PullEnumerator, ['a', 'b', 'c', 'd', 'e'], 2);
    const { coordinator, told } = rig;
    expect(await request(rig, 0)).toEqual(['0: a -Infinity']);
    coordinator.snapshot(1);
    // Between the trigger and the end of the checkpoint: in no reader's state.
    expect(await request(rig, 0)).toEqual(['0: b -Infinity']);
    coordinator.checkpointCompleted(1);
    expect(await request(rig, 1)).toEqual(['1: c -Infinity']);
    expect(await request(rig, 0)).toEqual(['0: d -Infinity']);
    coordinator.reset(0, restored(['a'], []));
    expect(told.splice(0)).toEqual(['0: a 5']);
    expect(await request(rig, 1)).toEqual(['1: b -Infinity']);
    expect(await request(rig, 0)).toEqual(['0: d -Infinity']);
    expect(await request(rig, 0)).toEqual(['0: e -Infinity']);
    expect(await request(rig, 0)).toEqual(['0: no more']);
  });

  it('begin anew what they had before there was a checkpoint', async () => {
    const rig = await start(PullEnumerator, ['a', 'b'], 2);
    await request(rig, 0);
    await request(rig, 1);
    // What the attempt itself has begun with.
    rig.coordinator.reset(0, restored(['a'], []));
    expect(rig.told.splice(0)).toEqual([]);
    expect(await request(rig, 0)).toEqual(['0: a -Infinity']);
    expect(await request(rig, 0)).toEqual(['0: no more']);
  });

  it('lose nothing by a checkpoint that was given up', async () => {
    const rig = await start(PullEnumerator, ['a', 'b'], 1);
    rig.coordinator.snapshot(1);
    rig.coordinator.checkpointCompleted(1);
    await request(rig, 0);
    rig.coordinator.snapshot(2);
    rig.coordinator.reset(0, restored([]));
    expect(await request(rig, 0)).toEqual(['0: a -Infinity']);
  });

  it('get their share of what is spread', async () => {
    const { coordinator, told } = await start(SpreadEnumerator, ['a', 'b', 'c'], 2);
    expect(told.splice(0)).toEqual(['0: a -Infinity', '0: c -Infinity', '0: no more', '1: b -Infinity', '1: no more']);
    coordinator.reset(1, undefined);
    expect(told.splice(0)).toEqual(['1: b -Infinity', '1: no more']);
    coordinator.snapshot(3);
    coordinator.checkpointCompleted(3);
    coordinator.reset(0, restored(['a'], ['b']));
    expect(told.splice(0)).toEqual(['0: a 5', '0: no more']);
  });
});
