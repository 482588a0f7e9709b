/** Records cross the shuffle by a declared schema: the results show which fields arrived. Parameters: results (directory). */
import { DataGeneratorSource, defineJob, FileSink, type JobDefinition, jsonLinesEncoder, schema, WatermarkStrategy } from 'millstream';

const job: JobDefinition = defineJob(
  (env, params) => {
    const source = new DataGeneratorSource(
      (index) => ({ key: index % 7, name: `n${index}`, half: index / 2, extra: 'stays behind' }),
      1000,
    );
    env
      .fromSource(source, WatermarkStrategy.noWatermarks(), 'records')
      .map(({ key, name, half, extra }) => ({ key, name, half, extra }) as { key: number; name: string; half: number })
      .withSchema(schema({ key: 'int32', name: 'string', half: 'float64' }))
      .keyBy('key')
      .reduce((_, next) => next)
      .uid('last')
      .sinkTo(FileSink.forRowFormat(`${params.results}/lines`, jsonLinesEncoder<object>()))
      .uid('lines');
  },
  { name: 'declared-schema' },
);

export default job;
