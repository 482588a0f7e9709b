import { StreamExecutionEnvironment, TumblingEventTimeWindows, WatermarkStrategy } from 'millstream';

interface Click {
  page: string;
  at: number;
  count: number;
}

const env = StreamExecutionEnvironment.getExecutionEnvironment();
env
  .fromElements<Click>(
    { page: '/home', at: 1_000, count: 1 },
    { page: '/docs', at: 4_000, count: 1 },
    { page: '/home', at: 12_000, count: 1 },
    { page: '/home', at: 9_000, count: 1 }, // out of order: counts in its window all the same
  )
  .assignTimestampsAndWatermarks(WatermarkStrategy.forBoundedOutOfOrderness<Click>(5_000).withTimestampAssigner((click) => click.at))
  .keyBy('page')
  .window(TumblingEventTimeWindows.of(10_000))
  .sum('count')
  .print();
await env.execute('clicks');
