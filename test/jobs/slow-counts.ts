/**
 * A job whose last step before its sink is so slow that everything before it is full: each record yields its key's running count, so the
 * results must be exactly (key, 1), (key, 2), … for every key.
 *
 * Parameters: records, keys, results (directory), log (a file that gets a dot for each slow record), until (a file; once it is there nothing
 * is slow).
 */
import { appendFileSync, existsSync } from 'node:fs';
import {
  type Collector,
  defineJob,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type RuntimeContext,
  type ValueState,
  ValueStateDescriptor,
} from 'millstream';

export interface SlowCount {
  readonly key: number;
  readonly count: number;
}

/** What a slow record takes, ms. */
const SLOW_MS = 1;

class Running extends KeyedProcessFunction<number, number, SlowCount> {
  private state!: ValueState<number>;

  override open(context: RuntimeContext): void {
    this.state = context.getState(new ValueStateDescriptor<number>('running'));
  }

  override processElement(_value: number, context: KeyedProcessContext<number>, out: Collector<SlowCount>): void {
    const count = (this.state.value() ?? 0) + 1;
    this.state.update(count);
    out.collect({ key: context.getCurrentKey(), count });
  }
}

const job: JobDefinition = defineJob(
  (env, { records = '100000', keys = '100', results = 'results/slow-counts', log = 'slow.log', until = 'until' }) => {
    env
      .fromSequence(1, Number(records))
      .uid('numbers')
      .keyBy((value) => value % Number(keys))
      .process(() => new Running())
      .uid('running')
      .rebalance()
      .map((count) => {
        if (existsSync(until)) return count;
        appendFileSync(log, '.');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_MS);
        return count;
      })
      .uid('slow')
      .sinkTo(FileSink.forRowFormat(results, jsonLinesEncoder<SlowCount>()))
      .uid('files');
  },
  { name: 'slow-counts' },
);

export default job;
