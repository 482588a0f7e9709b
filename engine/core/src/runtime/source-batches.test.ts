/** How many records a source asks its reader for at once: few where they are slow, since a barrier waits for the batch that is being run. */
import { describe, expect, it } from 'vitest';
import type { PollStatus, SourceBatch, SourceReader, SourceSplit } from '../connector/source.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { PausableClock } from '../time/idleness.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { interpretChain } from './chain-interpreter.js';
import { SourceInput } from './source-input.js';

/** Always has as many records as are asked for. */
class EndlessReader implements SourceReader<number, SourceSplit> {
  readonly limits: number[] = [];

  start(): void {}
  addSplits(): void {}
  notifyNoMoreSplits(): void {}
  close(): void {}
  async whenAvailable(): Promise<void> {}

  poll(batch: SourceBatch<number>, limit: number): PollStatus {
    this.limits.push(limit);
    batch.splitId = 'split';
    for (batch.count = 0; batch.count < limit; batch.count++) batch.values.push(batch.count);
    return 'records';
  }

  snapshotState(): SourceSplit[] {
    return [{ id: 'split' }];
  }
}

class Rig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly control = { stop: false };
  readonly reader: EndlessReader = new EndlessReader();
  readonly source: SourceInput;
  recordMs = 0;
  records = 0;

  constructor() {
    const append = (): void => {
      this.records++;
      this.clock.advanceBy(this.recordMs);
    };
    const consumers = { operators: [], edges: [{ append }] };
    const chain = interpretChain({
      name: 'source',
      control: this.control,
      recordsIn: new Float64Array(1),
      checkEmitted: undefined,
      steps: [{ type: 'source', label: 'source', main: consumers, sides: new Map(), assign: undefined, eventTime: false }],
    });
    chain.bind();
    this.source = new SourceInput({
      reader: this.reader,
      strategy: WatermarkStrategy.noWatermarks<unknown>(),
      chain,
      clock: this.clock,
      activity: new PausableClock(this.clock),
      onActive: () => undefined,
      wake: () => undefined,
      fail: (error) => {
        throw error;
      },
    });
    this.source.addSplits([{ id: 'split' }], [Number.NEGATIVE_INFINITY]);
  }

  /** Runs whole batches. */
  run(batches: number): void {
    for (let batch = 0; batch < batches; batch++) this.source.run(this.control, Number.POSITIVE_INFINITY, 0);
  }
}

describe('batches of a source', () => {
  it('get small where records are slow, and large again', () => {
    const rig = new Rig();
    rig.run(3);
    expect(rig.reader.limits).toEqual([1024, 1024, 1024]);
    rig.recordMs = 1;
    rig.run(5);
    expect(rig.reader.limits.at(-1)).toBeLessThanOrEqual(8);
    rig.recordMs = 0;
    rig.run(30);
    expect(rig.reader.limits.at(-1)).toBe(1024);
  });
});

describe('the rest of a batch', () => {
  it('is run whatever the control says, as long as there is room and time', () => {
    const rig = new Rig();
    rig.recordMs = 1;
    rig.run(5);
    const before = rig.records;
    const batches = rig.reader.limits.length;
    rig.control.stop = true;
    rig.source.run(rig.control, Number.POSITIVE_INFINITY, 0);
    expect([rig.records, rig.source.inBatch]).toEqual([before + 1, true]);
    const deadline = rig.clock.monotonic() + 2;
    expect(rig.source.finishBatch(rig.control, deadline, () => false)).toBe('full');
    expect(rig.source.finishBatch(rig.control, deadline, () => true)).toBe('unfinished');
    expect(rig.source.finishBatch(rig.control, Number.POSITIVE_INFINITY, () => true)).toBe('done');
    expect(rig.records).toBe(before + (rig.reader.limits.at(-1) as number));
    expect([rig.source.inBatch, rig.reader.limits.length]).toEqual([false, batches + 1]);
  });
});
