/**
 * A script that collects the first results of an endless stream and prints them as JSON.
 *
 * Arguments: --limit, --rate (per second), --fail (the number whose first map throws, once per marker), --marker (a file to write then).
 */
import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DataGeneratorSource, StreamExecutionEnvironment, WatermarkStrategy } from 'millstream';

const { values } = parseArgs({
  options: {
    limit: { type: 'string', default: '100' },
    rate: { type: 'string', default: '1000' },
    fail: { type: 'string', default: '-1' },
    marker: { type: 'string', default: '' },
  },
});

const env = StreamExecutionEnvironment.getExecutionEnvironment();
const source = new DataGeneratorSource((index) => index, Number.POSITIVE_INFINITY, { recordsPerSecond: Number(values.rate) });
const numbers = await env
  .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
  .uid('numbers')
  .map((value) => {
    if (value === Number(values.fail) && !existsSync(values.marker)) {
      writeFileSync(values.marker, '');
      throw new Error(`number ${value}`);
    }
    return value;
  })
  .uid('check')
  .keyBy((value) => value % 7)
  .reduce((_, value) => value)
  .uid('last')
  .executeAndCollect('collect-endless', Number(values.limit));
console.log(JSON.stringify(numbers));
