import { beforeEach, describe, expect, it } from 'vitest';
import { BroadcastProcessFunction, KeyedBroadcastProcessFunction } from '../operators/broadcast.js';
import { CoMapFunction, KeyedCoProcessFunction } from '../operators/co-process.js';
import { OutputTag } from '../operators/output-tag.js';
import { KeyedProcessFunction, type ProcessFunction } from '../operators/process.js';
import { TumblingEventTimeWindows } from '../operators/window/assigners.js';
import { CountTrigger } from '../operators/window/triggers.js';
import { edgeKey, type JobProgram, type PlanNode } from '../plan/plan.js';
import { MapStateDescriptor } from '../state/descriptors.js';
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
  sales = env.fromElements<Sale>({ item: 'a', amount: 1 });
});

function build(): JobProgram {
  return job.build('test');
}

/** The last node of the built program, and the program. */
function last(): { node: PlanNode; program: JobProgram } {
  const program = build();
  return { node: program.plan.nodes.at(-1) as PlanNode, program };
}

describe('two streams', () => {
  class Names extends CoMapFunction<Sale, Sale, string> {
    map1(sale: Sale): string {
      return sale.item;
    }
    map2(sale: Sale): string {
      return sale.item;
    }
  }
  class Meet extends KeyedCoProcessFunction<string, Sale, Sale, string> {
    processElement1(): void {}
    processElement2(): void {}
  }
  class Rule extends BroadcastProcessFunction<Sale, string, string> {
    processElement(): void {}
    processBroadcastElement(): void {}
  }
  class KeyedRule extends KeyedBroadcastProcessFunction<string, Sale, string, string> {
    processElement(): void {}
    processBroadcastElement(): void {}
  }
  const rules = new MapStateDescriptor<string, string>('rules');

  const inputsOf = (node: PlanNode) => node.inputs.map((edge) => [edge.input, edge.partitioning]);

  it('connect without keys', () => {
    sales.connect(sales.rebalance()).map(new Names());
    const { node } = last();
    expect([node.kind, node.keyed, node.stateful, inputsOf(node)]).toEqual([
      'co-map',
      false,
      false,
      [
        [0, undefined],
        [1, 'rebalance'],
      ],
    ]);
  });

  it.each([
    ['keyed streams', () => sales.keyBy('item').connect(sales.keyBy('item')).process(new Meet())],
    [
      'connected streams by field',
      () =>
        sales
          .connect(sales)
          .keyBy('item', 'item')
          .process(() => new Meet()),
    ],
    [
      'connected streams by function',
      () =>
        sales
          .connect(sales)
          .keyBy(
            (sale) => sale.item,
            (sale) => sale.item,
          )
          .process(new Meet()),
    ],
  ])('connect with keys: %s', (_name, add) => {
    add();
    const { node, program } = last();
    expect([node.kind, node.keyed, node.stateful, inputsOf(node)]).toEqual([
      'keyed-co-process',
      true,
      true,
      [
        [0, 'hash'],
        [1, 'hash'],
      ],
    ]);
    expect(program.edgeFunctions.get(edgeKey(node.id, 1))?.keySelector?.({ item: 'x' })).toBe('x');
  });

  it('connect to a broadcast', () => {
    const texts = env.fromElements('rule');
    sales.connect(texts.broadcast(rules)).process(new Rule());
    sales.keyBy('item').connect(texts.broadcast(rules)).process(new KeyedRule());
    const [plain, keyed] = build().plan.nodes.slice(-2) as [PlanNode, PlanNode];
    expect([plain.kind, plain.keyed, inputsOf(plain)]).toEqual([
      'broadcast-process',
      false,
      [
        [0, undefined],
        [1, 'broadcast'],
      ],
    ]);
    expect([keyed.kind, keyed.keyed, inputsOf(keyed)]).toEqual([
      'keyed-broadcast-process',
      true,
      [
        [0, 'hash'],
        [1, 'broadcast'],
      ],
    ]);
    expect(keyed.config).toEqual({ broadcastStates: ['rules'] });
  });

  it('refuse keyed functions without a key', () => {
    class Keyed extends KeyedProcessFunction<string, Sale, Sale> {
      processElement(): void {}
    }
    const refusal = expect.objectContaining({ code: 'INVALID_PLAN', message: expect.stringContaining('call keyBy first') });
    expect(() => sales.process(new Keyed() as unknown as ProcessFunction<Sale, Sale>)).toThrow(refusal);
    expect(() => sales.connect(sales).process(new Meet())).toThrow(refusal);
    expect(() => sales.connect(env.fromElements('r').broadcast(rules)).process(new KeyedRule())).toThrow(refusal);
  });

  it('join and co-group in windows', () => {
    const late = new OutputTag<Sale>('late');
    const hour = TumblingEventTimeWindows.of(3_600_000);
    sales
      .join(sales)
      .where((sale) => sale.item)
      .equalTo((sale) => sale.item)
      .window(hour)
      .allowedLateness(5)
      .sideOutputLateData(late)
      .apply((left, right) => left.amount + right.amount);
    sales
      .coGroup(sales)
      .where((sale) => sale.item)
      .equalTo((sale) => sale.item)
      .window(hour)
      .trigger(CountTrigger.of(2))
      .apply<number>((left, _right, out) => out.collect(left.length));
    const [join, coGroup] = build().plan.nodes.slice(-2) as [PlanNode, PlanNode];
    expect([join.kind, join.keyed, inputsOf(join)]).toEqual([
      'window-join',
      true,
      [
        [0, 'hash'],
        [1, 'hash'],
      ],
    ]);
    expect(join.config).toMatchObject({ assigner: 'TumblingEventTimeWindows', sizeMs: 3_600_000, allowedLatenessMs: 5, lateData: 'late' });
    expect(coGroup.config).toMatchObject({ trigger: 'CountTrigger' });
    expect(coGroup.config).not.toHaveProperty('allowedLatenessMs');
  });
});

describe('windows', () => {
  it('are described in the plan', () => {
    const late = new OutputTag<Sale>('late');
    sales.keyBy('item').window(TumblingEventTimeWindows.of(1000)).allowedLateness(5).sideOutputLateData(late).sum('amount');
    sales.keyBy('item').countWindow(4, 2).maxBy('amount');
    const [timed, counted] = build().plan.nodes.slice(-2) as [PlanNode, PlanNode];
    expect(timed).toMatchObject({ kind: 'window-reduce', keyed: true, stateful: true });
    expect(timed.config).toEqual({
      ...{ assigner: 'TumblingEventTimeWindows', time: 'event', sizeMs: 1000, slideMs: 1000, offsetMs: 0 },
      ...{ allowedLatenessMs: 5, lateData: 'late' },
    });
    expect(counted.config).toEqual({ size: 4, slide: 2 });
  });

  it('are immutable: a setting makes another window', () => {
    const window = sales.keyBy('item').window(TumblingEventTimeWindows.of(1000));
    window.allowedLateness(5);
    window.sum('amount');
    expect(last().node.config).not.toHaveProperty('allowedLatenessMs');
  });

  it('over the whole stream have one subtask', () => {
    sales.windowAll(TumblingEventTimeWindows.of(1000)).min('amount');
    sales.countWindowAll(3).max('amount');
    const program = build();
    const nodes = program.plan.nodes.slice(-2);
    expect(nodes.map((node) => [node.parallelism, node.inputs[0]?.partitioning])).toEqual([
      [1, 'hash'],
      [1, 'hash'],
    ]);
    const selector = program.edgeFunctions.get(edgeKey(nodes[0]?.id as string, 0))?.keySelector;
    expect([selector?.('x'), selector?.('y')]).toEqual([0, 0]);
  });

  it('refuse bad sizes and lateness when they are made', () => {
    expect(() => TumblingEventTimeWindows.of(0)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    const keyed = sales.keyBy('item');
    expect(() => keyed.countWindow(0).sum('amount')).toThrow(/'0' as a count window's size/);
    expect(() => keyed.window(TumblingEventTimeWindows.of(5)).allowedLateness(-1).sum('amount')).toThrow(/lateness of '-1'/);
  });
});
