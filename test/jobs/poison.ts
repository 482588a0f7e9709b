/**
 * A job with one record that always fails, in a stream slow enough for checkpoints before it.
 *
 * Parameters: source ('collection', 'generator', 'file'), file (for 'file': one {"index": n} per line), records, poison (the index that
 * fails), place ('source', or 'shuffle': behind one).
 */
import {
  collectionSource,
  DataGeneratorSource,
  type DataStream,
  defineJob,
  discardingSink,
  FileSource,
  type JobDefinition,
  jsonLines,
  type StreamExecutionEnvironment,
  WatermarkStrategy,
} from 'millstream';

interface Item {
  readonly index: number;
}

function items(env: StreamExecutionEnvironment, kind: string, records: number, file: string): DataStream<Item> {
  const strategy = WatermarkStrategy.noWatermarks<Item>();
  const item = (index: number): Item => ({ index });
  switch (kind) {
    case 'file':
      return env.fromSource(FileSource.forRecordFormat(jsonLines<Item>(), file), strategy, 'items').uid('items');
    case 'collection':
      return env.fromSource(collectionSource(Array.from({ length: records }, (_, index) => item(index))), strategy, 'items').uid('items');
    default:
      return env.fromSource(new DataGeneratorSource(item, records, { recordsPerSecond: 4000 }), strategy, 'items').uid('items');
  }
}

const job: JobDefinition = defineJob(
  (env, { source = 'generator', file = '', records = '2000', poison = '-1', place = 'source' }) => {
    const check = (item: Item): Item => {
      if (item.index === Number(poison)) throw new Error(`item ${item.index}`);
      return item;
    };
    const slow = items(env, source, Number(records), file)
      .map((item) => {
        if (source !== 'generator' && item.index % 8 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        return place === 'source' ? check(item) : item;
      })
      .uid('slow');
    const keyed = slow.keyBy(({ index }) => index % 5).map((item) => (place === 'shuffle' ? check(item) : item));
    keyed.uid('behind').sinkTo(discardingSink());
  },
  { name: 'poison' },
);

export default job;
