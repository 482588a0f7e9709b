/**
 * Unaligned checkpoints on a simulated cluster: a job whose last step is slow, with records so large that a batch goes in pieces, under
 * faults by seed.
 */
import { afterAll, describe, expect, it, vi } from 'vitest';
import { defineJob, type JobDefinition } from '../../api/define-job.js';
import { DataGeneratorSource } from '../../connector/data-generator-source.js';
import { FileSink } from '../../connector/file-sink.js';
import { jsonLinesEncoder } from '../../connector/file-sink-encoders.js';
import { FRAME_CONTROL, FRAME_LAST, FRAME_MORE } from '../../network/ring.js';
import { RingReceiver } from '../../network/ring-channel.js';
import type { KeyedProcessContext, OnTimerContext } from '../../operators/function-context.js';
import type { Collector } from '../../operators/operator.js';
import { KeyedProcessFunction } from '../../operators/process.js';
import type { RuntimeContext } from '../../operators/runtime-context.js';
import { ValueStateDescriptor } from '../../state/descriptors.js';
import type { ValueState } from '../../state/state.js';
import { WatermarkStrategy } from '../../time/watermark-strategies.js';
import { ClusterSimulation } from './cluster-simulation.js';
import { requireSound } from './simulation-report.js';

const RECORDS = 1_500;
const KEYS = 13;
const EVENT_MS = 7;
const PERIOD_MS = 1_000;

interface Event {
  readonly key: number;
  readonly at: number;
  readonly text: string;
}

/** `text` makes records large on their way. */
type Line = { readonly key: number; readonly text?: string } & ({ readonly count: number } | { readonly time: number });

function eventOf(index: number): Event {
  return { key: index % KEYS, at: index * EVENT_MS, text: `${index} `.repeat(250) };
}

function timerOf(at: number): number {
  return (Math.floor(at / PERIOD_MS) + 2) * PERIOD_MS;
}

class Counting extends KeyedProcessFunction<number, Event, Line> {
  private counts!: ValueState<number>;

  override open(context: RuntimeContext): void {
    this.counts = context.getState(new ValueStateDescriptor<number>('counts'));
  }

  override processElement({ at, text }: Event, context: KeyedProcessContext<number>, out: Collector<Line>): void {
    const count = (this.counts.value() ?? 0) + 1;
    this.counts.update(count);
    context.timerService().registerEventTimeTimer(timerOf(at));
    out.collect({ key: context.getCurrentKey(), count, text });
  }

  override onTimer(time: number, context: OnTimerContext<number>, out: Collector<Line>): void {
    out.collect({ key: context.getCurrentKey(), time });
  }
}

/** The source waits for the calls: a turn of a slot ends two of them. */
const job: JobDefinition = defineJob(
  (env) => {
    const strategy = WatermarkStrategy.forBoundedOutOfOrderness<Event>(50).withTimestampAssigner((event) => event.at);
    env
      .fromSource(new DataGeneratorSource(eventOf, RECORDS), strategy, 'events')
      .uid('events')
      .keyBy('key')
      .process(() => new Counting())
      .uid('counting')
      .rebalance()
      .mapAsync(async ({ text: _, ...line }): Promise<Line> => line, { capacity: 2 })
      .uid('slow')
      .sinkTo(FileSink.forRowFormat('/results/lines', jsonLinesEncoder<Line>()))
      .uid('files');
  },
  { name: 'unaligned' },
);

function expectedLines(): string[] {
  const counts = new Map<number, number>();
  const lines = new Set<string>();
  for (let index = 0; index < RECORDS; index++) {
    const { key, at } = eventOf(index);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    lines.add(JSON.stringify({ key, count })).add(JSON.stringify({ key, time: timerOf(at) }));
  }
  return [...lines];
}

describe('unaligned checkpoints of a simulated cluster', () => {
  const restored = new Map<number, number>();
  const restore = vi.spyOn(RingReceiver.prototype, 'restore');
  afterAll(() => restore.mockRestore());

  async function simulate(seed: number, timeoutMs: number): Promise<void> {
    const options = {
      'parallelism.default': 3,
      'execution.checkpointing.interval': 60,
      'execution.checkpointing.timeout': 5_000,
      'execution.checkpointing.unaligned.enabled': true,
      'execution.checkpointing.aligned-checkpoint-timeout': timeoutMs,
    };
    const report = await new ClusterSimulation({ seed, job, expected: expectedLines(), options, faultsUntilMs: 1_000 }).run();
    for (const [frames] of restore.mock.calls) for (const { kind } of frames) restored.set(kind, (restored.get(kind) ?? 0) + 1);
    restore.mockClear();
    requireSound(report);
  }

  it.each([0, 20].flatMap((timeoutMs) => [1, 2, 3, 4, 5, 6].map((seed) => ({ seed, timeoutMs }))))(
    'seed $seed, overtaking after $timeoutMs ms: every result once, whatever fails',
    async ({ seed, timeoutMs }) => await simulate(seed, timeoutMs),
  );

  it('have restored batches, pieces of batches and watermarks', async () => {
    const kinds = [FRAME_LAST, FRAME_MORE, FRAME_CONTROL];
    // Watermarks are seldom on their way.
    for (let seed = 7; seed < 100 && kinds.some((kind) => !restored.has(kind)); seed++) await simulate(seed, 0);
    expect([...restored.keys()].sort()).toEqual(kinds);
  });
});
