import { describe, expect, it } from 'vitest';
import { systemClock } from '../common/clock.js';
import { MemoryDisk } from '../common/memory-disk.js';
import type { SourceSplit, SplitEnumeratorContext } from './source.js';
import { PullEnumerator, SpreadEnumerator } from './static-enumerator.js';

const split = (id: string): SourceSplit => ({ id });
const discover = () => ['a', 'b', 'c'].map(split);

describe('PullEnumerator', () => {
  it('hands out one split per request, then says that there are no more', async () => {
    const { context, calls } = fakeContext(2);
    const enumerator = new PullEnumerator(context, discover, undefined);
    await enumerator.start();
    for (const subtask of [0, 1, 1, 0]) enumerator.handleSplitRequest(subtask);
    expect(calls).toEqual(['a->0', 'b->1', 'c->1', 'no more 0']);
  });

  it('restores what was pending, without looking again, and hands out first what readers give back', async () => {
    const { context, calls } = fakeContext(1);
    const first = new PullEnumerator(context, discover, undefined);
    await first.start();
    first.handleSplitRequest(0);
    const state = first.snapshotState();
    expect(state).toEqual({ pending: [split('b'), split('c')] });
    const failing = () => {
      throw new Error('discovered again');
    };
    const second = new PullEnumerator(context, failing, state);
    await second.start();
    second.addSplitsBack([split('a')]);
    for (let request = 0; request < 4; request++) second.handleSplitRequest(0);
    expect(calls).toEqual(['a->0', 'a->0', 'b->0', 'c->0', 'no more 0']);
  });

  it('does not share its list with a snapshot', async () => {
    const { context } = fakeContext(1);
    const enumerator = new PullEnumerator(context, discover, undefined);
    await enumerator.start();
    const state = enumerator.snapshotState();
    enumerator.handleSplitRequest(0);
    expect(state.pending).toHaveLength(3);
  });
});

describe('SpreadEnumerator', () => {
  it('gives each reader its share when it registers', async () => {
    const { context, calls } = fakeContext(2);
    const enumerator = new SpreadEnumerator(context, discover, undefined);
    await enumerator.start();
    enumerator.addReader(1);
    expect(enumerator.snapshotState().pending).toEqual([split('a'), split('c')]);
    enumerator.addReader(0);
    expect(calls).toEqual(['b->1', 'no more 1', 'a->0', 'c->0', 'no more 0']);
    expect(enumerator.snapshotState().pending).toEqual([]);
  });

  it('gives splits that came back to the same reader, once it registers again', async () => {
    const { context, calls } = fakeContext(2);
    const enumerator = new SpreadEnumerator(context, discover, undefined);
    await enumerator.start();
    enumerator.addReader(0);
    enumerator.addReader(1);
    calls.length = 0;
    enumerator.addSplitsBack([split('a'), split('c')]);
    enumerator.addReader(1);
    enumerator.addReader(0);
    expect(calls).toEqual(['no more 1', 'a->0', 'c->0', 'no more 0']);
  });
});

function fakeContext(parallelism: number) {
  const calls: string[] = [];
  const context: SplitEnumeratorContext<SourceSplit> = {
    parallelism,
    clock: systemClock,
    disk: new MemoryDisk(),
    assign: ({ id }, subtask) => calls.push(`${id}->${subtask}`),
    noMoreSplits: (subtask) => calls.push(`no more ${subtask}`),
    fail: (error) => {
      throw error;
    },
  };
  return { context, calls };
}
