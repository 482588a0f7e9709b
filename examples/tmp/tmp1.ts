import { StreamExecutionEnvironment } from 'millstream';
const env = StreamExecutionEnvironment.getExecutionEnvironment();
env.fromElements(1, 2, 3, 4, 5, 6, 7, 8, 9, 10).map((n) => n * 2).filter((n) => n % 3 !== 0).print();
await env.execute('doubles');
