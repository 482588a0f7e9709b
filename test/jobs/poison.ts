/**
 * A job with one record that always fails.
 *
 * Parameters: source ('collection', 'generator', 'file'), file (for 'file': one {"index": n} per line), records, poison (the index that
 * fails), place ('source', or 'shuffle': behind one), until (a file that records wait for), free (how many of each attempt do not).
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
import type { Source, SourceSplit } from 'millstream/connector';
import { heldSource } from './held-source.js';

interface Item {
  readonly index: number;
}

interface Held {
  readonly until: string | undefined;
  readonly free: number;
}

function items(env: StreamExecutionEnvironment, kind: string, records: number, file: string, held: Held): DataStream<Item> {
  const strategy = WatermarkStrategy.noWatermarks<Item>();
  const item = (index: number): Item => ({ index });
  const read = <SplitT extends SourceSplit, StateT>(source: Source<Item, SplitT, StateT>): DataStream<Item> =>
    env.fromSource(heldSource(source, held.free, held.until), strategy, 'items').uid('items');
  switch (kind) {
    case 'file':
      return read(FileSource.forRecordFormat(jsonLines<Item>(), file));
    case 'collection':
      return read(collectionSource(Array.from({ length: records }, (_, index) => item(index))));
    default:
      return read(new DataGeneratorSource(item, records));
  }
}

const job: JobDefinition = defineJob(
  (env, { source = 'generator', file = '', records = '2000', poison = '-1', place = 'source', until, free = records }) => {
    const check = (item: Item): Item => {
      if (item.index === Number(poison)) throw new Error(`item ${item.index}`);
      return item;
    };
    const first = items(env, source, Number(records), file, { until, free: Number(free) })
      .map((item) => (place === 'source' ? check(item) : item))
      .uid('first');
    const keyed = first.keyBy(({ index }) => index % 5).map((item) => (place === 'shuffle' ? check(item) : item));
    keyed.uid('behind').sinkTo(discardingSink());
  },
  { name: 'poison' },
);

export default job;
