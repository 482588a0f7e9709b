/**
 * Sums per key, in a state that can be declared in different ways: for tests of restores. The last sum of a key shows whether its state
 * was complete.
 *
 * Parameters: records, rate (per second, 0: unlimited), results (directory), state ('value', 'schema', 'schema with text', 'list'),
 * poison (the record that fails; none), max-parallelism (of the sums), until (a file that records wait for), free (how many of each attempt
 * do not; half of them).
 */
import {
  type Collector,
  DataGeneratorSource,
  defineJob,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  type KeyedProcessContext,
  KeyedProcessFunction,
  ListStateDescriptor,
  type RuntimeContext,
  schema,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

export interface KeyedSum {
  readonly key: number;
  readonly sum: number;
  readonly count: number;
}

interface Event {
  readonly key: number;
  readonly amount: number;
}

type Sum = { sum: number; count: number };
interface Access {
  read(): Sum | undefined;
  write(sum: Sum): void;
}

function access(context: RuntimeContext, kind: string): Access {
  if (kind === 'list') {
    const list = context.getListState(new ListStateDescriptor<Sum>('sum'));
    return { read: () => [...list.get()][0], write: (sum) => list.update([sum]) };
  }
  const descriptor =
    kind === 'schema'
      ? new ValueStateDescriptor<Sum>('sum', { schema: schema({ sum: 'float64', count: 'float64' }) })
      : kind === 'schema with text'
        ? new ValueStateDescriptor<Sum>('sum', { schema: schema({ sum: 'string', count: 'float64' }) as never })
        : new ValueStateDescriptor<Sum>('sum');
  const state = context.getState(descriptor);
  return { read: () => state.value(), write: (sum) => state.update(sum) };
}

class Sums extends KeyedProcessFunction<number, Event, KeyedSum> {
  private readonly kind: string;
  private state!: Access;

  constructor(kind: string) {
    super();
    this.kind = kind;
  }

  override open(context: RuntimeContext): void {
    this.state = access(context, this.kind);
  }

  override processElement(event: Event, context: KeyedProcessContext<number>, out: Collector<KeyedSum>): void {
    const before = this.state.read() ?? { sum: 0, count: 0 };
    const sum = { sum: before.sum + event.amount, count: before.count + 1 };
    this.state.write(sum);
    out.collect({ key: context.getCurrentKey(), ...sum });
  }
}

const job: JobDefinition = defineJob(
  (env, params) => {
    const rate = Number(params.rate ?? 0);
    const poison = Number(params.poison ?? -1);
    const records = Number(params.records ?? 10_000);
    const source = new DataGeneratorSource<Event>(
      (index) => ({ key: index % 100, amount: index }),
      records,
      rate > 0 ? { recordsPerSecond: rate } : {},
    );
    const kind = params.state ?? 'value';
    const sums = env
      .fromSource(heldSource(source, Number(params.free ?? records / 2), params.until), WatermarkStrategy.noWatermarks<Event>(), 'events')
      .uid('events')
      .map((event) => {
        if (event.amount === poison) throw new Error(`event ${poison} is poison`);
        return event;
      })
      .name('check')
      .uid('check')
      .keyBy('key')
      .process(() => new Sums(kind))
      .uid('sums');
    if (params['max-parallelism'] !== undefined) sums.setMaxParallelism(Number(params['max-parallelism']));
    sums.sinkTo(FileSink.forRowFormat(params.results ?? 'results', jsonLinesEncoder<KeyedSum>())).uid('files');
  },
  { name: 'keyed-sums' },
);

export default job;
