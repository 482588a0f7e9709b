import { beforeEach, describe, expect, it } from 'vitest';
import { schema } from '../codec/schema.js';
import { collectionSource } from '../connector/collection-source.js';
import type { FailedRecord, OperatorImplementation } from '../operators/operator.js';
import { OutputTag } from '../operators/output-tag.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import { edgeKey, type JobProgram, type PlanNode } from '../plan/plan.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import type { DataStream } from './data-stream.js';
import { JobBuilder } from './job-builder.js';
import { StreamExecutionEnvironment } from './stream-execution-environment.js';
import { streams } from './streams.js';

interface Sale {
  item: string;
  amount: number;
}

let job: JobBuilder;
let env: StreamExecutionEnvironment;
let sales: DataStream<Sale>;

beforeEach(() => {
  job = new JobBuilder(streams, undefined);
  env = new StreamExecutionEnvironment(job);
  sales = env.fromElements<Sale>({ item: 'a', amount: 1 }).name('sales').setParallelism(2);
});

function build(): JobProgram {
  return job.build('test');
}

/** The last node of the built program, and the program. */
function last(): { node: PlanNode; program: JobProgram; implementation: OperatorImplementation } {
  const program = build();
  const node = program.plan.nodes.at(-1) as PlanNode;
  return { node, program, implementation: program.implementations.get(node.id) as OperatorImplementation };
}

describe('operators', () => {
  it('map, filter and flatMap keep the functions as they are', () => {
    const double = (sale: Sale) => sale.amount * 2;
    const even = (amount: number) => amount % 2 === 0;
    const twice = (amount: number, out: { collect(value: number): void }) => out.collect(amount);
    sales.map(double).filter(even).flatMap<number>(twice);
    const { plan, implementations } = build();
    expect(plan.nodes.map((node) => [node.kind, node.name, node.stateful])).toEqual([
      ['source', 'sales', true],
      ['map', 'map', false],
      ['filter', 'filter', false],
      ['flatMap', 'flatMap', false],
    ]);
    expect(plan.nodes.slice(1).map((node) => (implementations.get(node.id) as { fn: unknown }).fn)).toEqual([double, even, twice]);
    expect(plan.nodes.slice(1).map((node) => node.inputs[0]?.from)).toEqual(plan.nodes.slice(0, 3).map((node) => node.id));
  });

  it('flatMap emits an array that a function of one parameter returns', () => {
    sales.flatMap((sale) => [sale.item, 'x']);
    const { implementation } = last();
    const seen: unknown[] = [];
    const { fn } = implementation as Extract<OperatorImplementation, { type: 'flatMap' }>;
    fn({ item: 'a' }, { collect: (value) => seen.push(value) });
    expect(seen).toEqual(['a', 'x']);
  });

  it('refuse what is no function', () => {
    expect(() => sales.map('item' as never)).toThrow(/Cannot pass "item" to map: it must be a function/);
    expect(() => sales.filter(undefined as never)).toThrow(expect.objectContaining({ code: 'INVALID_FUNCTION' }));
    expect(() => sales.flatMap({} as never)).toThrow(/flatMap/);
    expect(() => sales.keyBy(7 as never)).toThrow(/Cannot use 7 as a key selector/);
    expect(() => sales.keyBy('' as 'item')).toThrow(/key selector/);
  });

  it('take their settings after they were made', () => {
    sales
      .map((sale) => sale.amount)
      .name('amounts')
      .uid('amounts-1')
      .setParallelism(3)
      .setMaxParallelism(30)
      .setBufferTimeout(5)
      .startNewChain()
      .slotSharingGroup('heavy')
      .setDescription('what was paid')
      .onError(new OutputTag('bad'));
    const { node, implementation } = last();
    expect(node).toMatchObject({
      id: 'uid:amounts-1',
      name: 'amounts',
      parallelism: 3,
      maxParallelism: 30,
      bufferTimeoutMs: 5,
      chaining: 'head',
      slotSharingGroup: 'heavy',
      config: { description: 'what was paid', onError: { type: 'sideOutput', tag: 'bad' } },
    });
    expect(implementation).toMatchObject({ type: 'map', onError: { type: 'sideOutput', tag: 'bad' } });
  });

  it('refuse bad settings, naming them', () => {
    const stream = sales.map((sale) => sale.amount);
    expect(() => stream.setParallelism(0)).toThrow(/the parallelism of operator "map" to 0: it must be a whole number from 1/);
    expect(() => stream.setMaxParallelism(40_000)).toThrow(/maxParallelism of operator "map" to 40000/);
    expect(() => stream.uid(' ')).toThrow(/the uid of operator "map" to " "/);
    expect(() => stream.setBufferTimeout(-2)).toThrow(/-2/);
    expect(() => stream.onError('retry' as never)).toThrow(/'fail', 'skip' or an OutputTag/);
    expect(() => env.fromSequence(1, 2).onError('skip')).toThrow(/runs no function of yours/);
  });

  it('sinks take theirs too', () => {
    sales
      .print('p')
      .name('out')
      .uid('o')
      .setParallelism(1)
      .setMaxParallelism(2)
      .disableChaining()
      .slotSharingGroup('g')
      .setDescription('d');
    expect(last().node).toMatchObject({
      kind: 'sink',
      name: 'out',
      uid: 'o',
      parallelism: 1,
      maxParallelism: 2,
      chaining: 'never',
      slotSharingGroup: 'g',
    });
  });

  it('mapAsync hands over its options, and onError that is set later', () => {
    const stream = sales.mapAsync(async (sale) => sale.item, {
      ordered: false,
      capacity: 3,
      timeoutMs: 9,
      retry: { attempts: 2, delayMs: 1 },
    });
    expect(() => sales.mapAsync(async (sale) => sale.item, { capacity: 0 })).toThrow(/capacity/);
    stream.onError('skip');
    const { node, implementation } = last();
    expect(node).toMatchObject({ kind: 'mapAsync', stateful: true, config: { ordered: false, capacity: 3, timeoutMs: 9, attempts: 2 } });
    expect(implementation).toMatchObject({ type: 'operator', onError: { type: 'skip' } });
  });
});

describe('edges', () => {
  it('have the partitioning that was asked for last', () => {
    const pass = (value: Sale) => value;
    sales.rebalance().map(pass);
    sales.rescale().map(pass);
    sales.shuffle().map(pass);
    sales.forward().map(pass);
    sales.global().map(pass);
    sales.broadcast().map(pass);
    sales.rebalance().shuffle().map(pass);
    sales.map(pass);
    const nodes = build().plan.nodes.slice(1);
    expect(nodes.map((node) => node.inputs[0]?.partitioning)).toEqual([
      ...['rebalance', 'rescale', 'shuffle', 'forward', 'global', 'broadcast', 'shuffle'],
      undefined,
    ]);
  });

  it('of a keyed stream have the key selector, by function or field', () => {
    const key = (sale: Sale) => sale.item;
    sales.keyBy(key).reduce((left) => left);
    sales.keyBy('amount').sum('amount');
    const { plan, edgeFunctions } = build();
    const [, first, second] = plan.nodes;
    expect([first, second].map((node) => [node?.kind, node?.keyed, node?.stateful, node?.inputs[0]?.partitioning])).toEqual([
      ['reduce', true, true, 'hash'],
      ['sum', true, true, 'hash'],
    ]);
    expect(edgeFunctions.get(edgeKey(first?.id as string, 0))?.keySelector).toBe(key);
    expect(edgeFunctions.get(edgeKey(second?.id as string, 0))?.keySelector?.({ item: 'a', amount: 7 })).toBe(7);
  });

  it('of a field selector take any name', () => {
    const strange = 'a"]; throw 1; //';
    env
      .fromElements({ [strange]: 1 })
      .keyBy(strange)
      .map((value) => value);
    const { node, program } = last();
    expect(program.edgeFunctions.get(edgeKey(node.id, 0))?.keySelector?.({ [strange]: 5 })).toBe(5);
  });

  it('of a custom partitioner have both functions', () => {
    sales
      .partitionCustom(
        (sale) => sale.amount,
        (amount, subtasks) => amount % subtasks,
      )
      .print();
    const { node, program } = last();
    const functions = program.edgeFunctions.get(edgeKey(node.id, 0));
    expect(node.inputs[0]?.partitioning).toBe('custom');
    expect(functions?.partition?.(functions.keySelector?.({ amount: 7 }), 4)).toBe(3);
  });

  it('of a union are all on one input, and keyBy applies to each', () => {
    const other = env.fromElements<Sale>({ item: 'b', amount: 2 });
    sales
      .union(
        other,
        sales.filter(() => true),
      )
      .keyBy('item')
      .maxBy('amount');
    const { node, program } = last();
    expect(node.inputs.map((edge) => [edge.input, edge.partitioning])).toEqual([
      [0, 'hash'],
      [0, 'hash'],
      [0, 'hash'],
    ]);
    expect(node.inputs.map((_, index) => typeof program.edgeFunctions.get(edgeKey(node.id, index))?.keySelector)).toEqual(
      Array(3).fill('function'),
    );
  });

  it('carry a declared schema', () => {
    sales
      .withSchema(schema({ item: 'string', amount: 'float64' }))
      .keyBy('item')
      .sum('amount');
    expect(last().node.inputs[0]?.schema).toEqual({
      fields: [
        { name: 'item', type: 'string' },
        { name: 'amount', type: 'float64' },
      ],
    });
  });

  it('read side outputs', () => {
    const bad = new OutputTag<FailedRecord<Sale>>('bad');
    sales
      .filter(() => true)
      .onError(bad)
      .getSideOutput(bad)
      .print();
    const { node } = last();
    expect(node.inputs).toMatchObject([{ sideOutput: 'bad' }]);
  });
});

describe('the whole', () => {
  it('has the registered classes, each once, until it is executed', () => {
    class Money {
      readonly cents: number = 1;
    }
    const codec = { encode: (money: Money) => money.cents, decode: () => new Money() };
    expect(env.registerClass('Money', Money, codec)).toBe(env);
    expect(() => env.registerClass('Money', class {}, { encode: () => 0, decode: () => ({}) })).toThrow(/is registered already/);
    expect(() => env.registerClass('Cash', Money, codec)).toThrow(/is registered already/);
    expect(() => env.registerClass('Day', Date, { encode: Number, decode: (time) => new Date(time) })).toThrow(/travel without a codec/);
    const { plan, classes } = build();
    expect(plan.classes).toEqual(['Money']);
    expect(classes?.ofPrototype(Money.prototype)?.name).toBe('Money');
    expect(() => env.registerClass('Late', class {}, { encode: () => 0, decode: () => ({}) })).toThrow(/has been executed already/);
  });

  it('becomes a job graph', () => {
    env.setParallelism(2);
    const events = env.fromSource(collectionSource<Sale>([]), WatermarkStrategy.noWatermarks(), 'events');
    events
      .filter((sale) => sale.amount > 0)
      .keyBy('item')
      .sum('amount')
      .print();
    const graph = buildJobGraph(build().plan);
    expect(graph.vertices.map((vertex) => [vertex.name, vertex.parallelism])).toEqual([
      ['Source: sales', 2],
      ['Source: events -> filter', 2],
      ['sum -> Sink: print', 2],
    ]);
  });
});
