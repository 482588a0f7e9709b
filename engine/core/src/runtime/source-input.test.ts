/** The source of a chain: watermarks per split, idleness, alignment, and snapshots between batches only. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PollStatus, SourceBatch, SourceReader, SourceSplit } from '../connector/source.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { PausableClock } from '../time/idleness.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import type { WatermarkGenerator } from '../time/watermark-strategy.js';
import { interpretChain } from './chain-interpreter.js';
import { SourceInput } from './source-input.js';

/** A record is [name, timestamp]. */
type Event = readonly [string, number];

interface ScriptedBatch {
  readonly split: string;
  readonly events: readonly Event[];
  readonly last?: boolean;
}

/** Hands out scripted batches; says 'nothing' when there is none, and 'end' when told. */
class ScriptedReader implements SourceReader<unknown, SourceSplit> {
  readonly batches: ScriptedBatch[] = [];
  paused: ReadonlySet<string> = new Set();
  ended = false;
  polls = 0;
  waits = 0;
  /** Splits with the number of events handed out. */
  readonly positions = new Map<string, number>();
  ring: () => void = () => undefined;
  describePosition?: (index: number) => string;

  start(): void {}

  addSplits(splits: readonly SourceSplit[]): void {
    for (const { id } of splits) this.positions.set(id, 0);
  }

  notifyNoMoreSplits(): void {
    this.ended = true;
  }

  poll(batch: SourceBatch<unknown>): PollStatus {
    this.polls++;
    const at = this.batches.findIndex(({ split }) => !this.paused.has(split));
    const next = this.batches[at];
    if (next === undefined) return this.ended && this.batches.length === 0 ? 'end' : 'nothing';
    this.batches.splice(at, 1);
    batch.splitId = next.split;
    batch.values.push(...next.events);
    batch.count = next.events.length;
    batch.splitFinished = next.last ?? false;
    this.positions.set(next.split, (this.positions.get(next.split) ?? 0) + next.events.length);
    return 'records';
  }

  whenAvailable(): Promise<void> {
    this.waits++;
    return new Promise((resolve) => {
      this.ring = resolve;
    });
  }

  snapshotState(): SourceSplit[] {
    return [...this.positions.keys()].map((id) => ({ id }));
  }

  close(): void {}
}

class PausingReader extends ScriptedReader {
  pauseOrResumeSplits(paused: ReadonlySet<string>): void {
    this.paused = paused;
  }
}

interface RigOptions {
  readonly strategy?: WatermarkStrategy<unknown>;
  readonly reader?: ScriptedReader;
  /** Records after which the output says stop. */
  readonly stops?: readonly number[];
}

const BOUNDED: WatermarkStrategy<unknown> = WatermarkStrategy.forBoundedOutOfOrderness<unknown>(10);
const IDLE_MS = 1_000;

class Rig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly activity: PausableClock = new PausableClock(this.clock);
  readonly control = { stop: false };
  readonly out: string[] = [];
  readonly reader: ScriptedReader;
  readonly source: SourceInput;
  wakes = 0;

  constructor(options: RigOptions = {}) {
    const { strategy = BOUNDED, stops = [] } = options;
    this.reader = options.reader ?? new PausingReader();
    const withTime = strategy.withTimestampAssigner((event) => (event as Event)[1]);
    const append = (event: unknown): void => {
      this.out.push((event as Event)[0]);
      if (stops.includes(this.out.length)) this.control.stop = true;
    };
    const chain = interpretChain({
      name: 'source',
      control: this.control,
      recordsIn: new Float64Array(1),
      checkEmitted: undefined,
      steps: [
        {
          type: 'source',
          label: 'source',
          main: { operators: [], edges: [{ append }] },
          sides: new Map(),
          assign: withTime.timestampAssigner,
          eventTime: withTime.createGenerator !== undefined,
        },
      ],
    });
    chain.bind();
    this.source = new SourceInput({
      reader: this.reader,
      strategy: withTime,
      chain,
      clock: this.clock,
      activity: this.activity,
      onActive: () => this.out.push('active'),
      wake: () => this.wakes++,
      fail: (error) => {
        throw error;
      },
    });
    this.source.start();
  }

  add(...splits: readonly (string | readonly [string, number])[]): this {
    for (const split of splits) {
      const [id, watermark] = typeof split === 'string' ? [split, Number.NEGATIVE_INFINITY] : split;
      this.source.addSplits([{ id }], [watermark]);
    }
    return this;
  }

  /** Reads a batch of these times. */
  read(split: string, times: readonly number[], last = false): void {
    this.reader.batches.push({ split, events: times.map((time) => [`${split}${time}`, time]), last });
    this.run();
  }

  run(recordsMax: number = Number.POSITIVE_INFINITY): PollStatus {
    this.control.stop = false;
    this.ask();
    return this.source.run(this.control, Number.POSITIVE_INFINITY, recordsMax);
  }

  /** What the reader has got since it said 'nothing' is looked for at once, as after an assignment. */
  ask(): void {
    this.source.addSplits([], []);
  }

  /** The combined watermark after so much time. */
  tick(ms = 200): readonly [number, boolean] {
    this.clock.advanceBy(ms);
    const { watermark, idle } = this.source.tick();
    return [watermark, idle];
  }
}

describe('watermarks of splits', () => {
  it('are combined to that of the slowest one that has not finished', () => {
    const rig = new Rig().add('a', 'b');
    rig.read('a', [100, 90]);
    expect(rig.tick()).toEqual([Number.NEGATIVE_INFINITY, false]);
    rig.read('b', [50]);
    expect(rig.tick()).toEqual([39, false]);
    rig.read('b', [60], true);
    expect(rig.tick()).toEqual([89, false]);
    rig.read('a', [70], true);
    expect(rig.tick()).toEqual([89, false]);
  });

  it('never go back: a split that is added later is late', () => {
    const rig = new Rig().add('a');
    rig.read('a', [100], true);
    expect(rig.tick()).toEqual([89, false]);
    rig.add('b');
    rig.read('b', [20]);
    expect(rig.tick()).toEqual([89, false]);
  });

  it('begin where the checkpoint had them, and are in the next one', () => {
    const rig = new Rig().add(['a', 70], ['b', 40]);
    expect(rig.tick()).toEqual([40, false]);
    rig.read('b', [30, 95]);
    expect(rig.source.snapshot()).toEqual([
      { split: { id: 'a' }, watermark: 70 },
      { split: { id: 'b' }, watermark: 84 },
    ]);
    expect(rig.tick()).toEqual([70, false]);
  });

  it('come from a generator of each split, which is asked once per interval', () => {
    const asked: string[] = [];
    let created = 0;
    const strategy = WatermarkStrategy.forGenerator<unknown>((): WatermarkGenerator<unknown> => {
      const name = `generator ${created++}`;
      let last = Number.NEGATIVE_INFINITY;
      return {
        onEvent: (_, timestamp) => {
          last = timestamp;
        },
        onPeriodicEmit: (output) => {
          asked.push(name);
          output.emitWatermark(last);
        },
      };
    });
    const rig = new Rig({ strategy }).add('a', 'b');
    rig.read('a', [8]);
    rig.read('b', [5]);
    expect(rig.tick()).toEqual([5, false]);
    rig.source.snapshot();
    rig.source.align(1);
    expect(asked).toEqual(['generator 0', 'generator 1']);
  });

  it('have the smallest of all records behind them, however batches, splits and ticks are mixed', () => {
    const arbitraryStep = fc.oneof(
      fc.record({ split: fc.constantFrom('a', 'b', 'c'), times: fc.array(fc.nat(1000), { maxLength: 5 }) }),
      fc.constant('tick' as const),
    );
    fc.assert(
      fc.property(fc.array(arbitraryStep, { maxLength: 30 }), (steps) => {
        const rig = new Rig().add('a', 'b', 'c');
        const largest = new Map([
          ['a', Number.NEGATIVE_INFINITY],
          ['b', Number.NEGATIVE_INFINITY],
          ['c', Number.NEGATIVE_INFINITY],
        ]);
        let last = Number.NEGATIVE_INFINITY;
        for (const step of steps) {
          if (step === 'tick') {
            const [watermark] = rig.tick();
            expect(watermark).toBeGreaterThanOrEqual(last);
            expect(watermark).toBe(Math.max(last, Math.min(...largest.values()) - 11));
            last = watermark;
          } else {
            rig.read(step.split, step.times);
            largest.set(step.split, Math.max(largest.get(step.split) as number, ...step.times));
          }
        }
      }),
      { seed: 1 },
    );
  });
});

describe('idleness', () => {
  const strategy = BOUNDED.withIdleness(IDLE_MS);

  it('of a split lets the others go on, and ends with its next record', () => {
    const rig = new Rig({ strategy }).add('a', 'b');
    rig.read('b', [10]);
    for (let tick = 1; tick < 5; tick++) {
      rig.read('a', [100 * tick]);
      expect(rig.tick()).toEqual([-1, false]);
    }
    rig.read('a', [500]);
    expect(rig.tick()).toEqual([489, false]);
    rig.read('b', [20]);
    rig.read('a', [600]);
    expect(rig.tick()).toEqual([489, false]);
  });

  it('of all splits makes the source idle, until just before the next record', () => {
    const rig = new Rig({ strategy }).add('a');
    rig.read('a', [10]);
    expect(rig.tick(IDLE_MS - 1)).toEqual([-1, false]);
    expect(rig.tick(1)).toEqual([-1, true]);
    rig.read('a', [20, 30]);
    rig.read('a', [40]);
    expect(rig.out).toEqual(['a10', 'active', 'a20', 'a30', 'a40']);
    expect(rig.tick()).toEqual([29, false]);
  });

  it('does not come from time in which the task could not read', () => {
    const rig = new Rig({ strategy }).add('a');
    rig.read('a', [10]);
    rig.activity.pause();
    rig.clock.advanceBy(IDLE_MS * 10);
    rig.activity.resume();
    expect(rig.tick(IDLE_MS - 1)).toEqual([-1, false]);
    expect(rig.tick(1)).toEqual([-1, true]);
  });

  it('does not come from alignment: paused splits hold back', () => {
    const rig = new Rig({ strategy }).add('a', 'b');
    rig.read('a', [100]);
    rig.read('b', [50]);
    rig.source.align(20);
    expect((rig.reader as PausingReader).paused).toEqual(new Set(['a', 'b']));
    expect(rig.tick(IDLE_MS * 10)).toEqual([39, false]);
    rig.source.align(1000);
    expect(rig.tick(IDLE_MS)).toEqual([39, true]);
  });

  it('is that of a source without any split, too', () => {
    const rig = new Rig({ strategy });
    expect(rig.tick(IDLE_MS - 1)).toEqual([Number.NEGATIVE_INFINITY, false]);
    expect(rig.tick(1)).toEqual([Number.NEGATIVE_INFINITY, true]);
    rig.add('a');
    expect(rig.tick()).toEqual([Number.NEGATIVE_INFINITY, false]);
    expect(new Rig().tick(IDLE_MS * 10)).toEqual([Number.NEGATIVE_INFINITY, false]);
  });
});

describe('alignment', () => {
  it('pauses a split as soon as it is ahead, though nothing new is said', () => {
    const rig = new Rig().add('a', 'b');
    rig.read('a', [100]);
    rig.source.align(200);
    expect(rig.reader.paused).toEqual(new Set());
    rig.reader.batches.push(
      { split: 'a', events: [['ahead', 300]] },
      { split: 'a', events: [['held', 301]] },
      { split: 'b', events: [['b', 5]] },
    );
    rig.run();
    expect(rig.out).toEqual(['a100', 'ahead', 'b']);
    expect(rig.reader.paused).toEqual(new Set(['a']));
    rig.source.align(400);
    rig.run();
    expect(rig.out.at(-1)).toBe('held');
  });

  it('stops a reader that cannot pause single splits when all of them are ahead', () => {
    const rig = new Rig({ reader: new ScriptedReader() }).add('a', 'b');
    rig.source.align(50);
    rig.read('a', [100]);
    rig.read('b', [20]);
    expect(rig.out).toEqual(['a100', 'b20']);
    rig.read('b', [90]);
    const { polls } = rig.reader;
    rig.reader.batches.push({ split: 'a', events: [['held', 101]] });
    expect(rig.run()).toBe('nothing');
    expect(rig.reader.polls).toBe(polls);
    rig.source.align(80);
    rig.run();
    // b may be read again, and such a reader reads what comes.
    expect(rig.out.at(-1)).toBe('held');
  });

  it('reports what holds others back: not what is idle or has ended', () => {
    const rig = new Rig({ strategy: BOUNDED.withIdleness(IDLE_MS).withWatermarkAlignment('group', 100, 50) }).add('a');
    rig.read('a', [30]);
    rig.tick(10);
    expect(rig.source.watermarkDue(100)).toBe(19);
    expect(rig.source.watermarkDue(149)).toBeUndefined();
    rig.tick(IDLE_MS);
    expect(rig.source.watermarkDue(150)).toBe(Number.POSITIVE_INFINITY);
    rig.read('a', [40], true);
    rig.tick(10);
    expect(rig.source.watermarkDue(200)).toBe(29);
    rig.source.noMoreSplits();
    expect(rig.run()).toBe('end');
    expect(rig.source.watermarkDue(250)).toBe(Number.POSITIVE_INFINITY);
    expect(new Rig().source.watermarkDue(1000)).toBeUndefined();
  });
});

describe('batches', () => {
  it('are run to their end, wherever the output stops, and each record once', () => {
    const arbitraryBatches = fc.array(fc.record({ split: fc.constantFrom('a', 'b'), count: fc.nat(40) }), { maxLength: 10 });
    fc.assert(
      fc.property(arbitraryBatches, fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 10 }), (batches, stops) => {
        const rig = new Rig({ stops }).add('a', 'b');
        let name = 0;
        for (const { split, count } of batches)
          rig.reader.batches.push({ split, events: Array.from({ length: count }, (): Event => [`${name++}`, 1]) });
        rig.source.noMoreSplits();
        for (let turns = 0; rig.run() !== 'end'; turns++) {
          // What a snapshot may be taken at is what the reader's state says.
          const handedOut = [...rig.reader.positions.values()].reduce((a, b) => a + b, 0);
          if (rig.source.inBatch) expect(rig.out.length).toBeLessThan(handedOut);
          else expect(rig.out.length).toBe(handedOut);
          expect(turns).toBeLessThan(50);
        }
        expect(rig.out).toEqual(Array.from({ length: name }, (_, at) => `${at}`));
      }),
      { seed: 2 },
    );
  });

  it('stop after the current one where a barrier waits', () => {
    const rig = new Rig().add('a');
    rig.reader.batches.push({ split: 'a', events: [['1', 1]] }, { split: 'a', events: [['2', 2]] });
    expect(rig.run(0)).toBe('records');
    expect([rig.out, rig.source.inBatch]).toEqual([['1'], false]);
    rig.run();
    expect(rig.out).toEqual(['1', '2']);
  });

  it('are not asked for again before the reader has rung', async () => {
    const rig = new Rig().add('a');
    expect(rig.run()).toBe('nothing');
    expect(rig.source.run(rig.control, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)).toBe('nothing');
    expect([rig.reader.polls, rig.reader.waits]).toEqual([1, 1]);
    rig.reader.ring();
    await Promise.resolve();
    expect(rig.wakes).toBe(1);
    rig.reader.batches.push({ split: 'a', events: [['a1', 1]] });
    rig.source.run(rig.control, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect(rig.out).toEqual(['a1']);
  });

  it('give the position of a record in its split', () => {
    const rig = new Rig().add('a', 'b');
    rig.read('a', [1, 2, 3]);
    rig.read('b', [4]);
    rig.read('a', [5]);
    rig.reader.batches.push({
      split: 'a',
      events: [
        ['x', 6],
        ['y', 7],
      ],
    });
    rig.control.stop = true;
    rig.ask();
    rig.source.run(rig.control, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect(rig.source.inBatch).toBe(true);
    expect(rig.source.describePosition(1)).toEqual({ position: "record 5 of split 'a'", stable: false });
    expect(rig.source.recordAt(1)).toEqual(['y', 7]);
    rig.reader.describePosition = (index) => `offset ${1000 + index}`;
    expect(rig.source.describePosition(1)).toEqual({ position: "offset 1001 of split 'a'", stable: true });
  });
});
