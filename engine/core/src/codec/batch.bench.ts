/**
 * CPU time per record of encoding and decoding batches: `node engine/core/dist/codec/batch.bench.js [case …]`.
 * The main case is a bid as in Nexmark, about 166 bytes; decoding counts reading all fields. JSON stands beside for comparison.
 */
import { ByteWriter } from '../common/bytes.js';
import { BatchDecoder } from './batch-decoder.js';
import { BatchEncoder } from './batch-encoder.js';
import { type Bid, bids, flat } from './bids.test.support.js';
import { schema } from './schema.js';

const BATCH = 256;
const BATCHES = 64;
const ROUNDS = 7;
const PASSES = 16;

const BID_SCHEMA = schema({
  auction: 'int32',
  bidder: 'int32',
  price: 'int32',
  channel: 'string',
  url: 'string',
  dateTime: 'float64',
  extra: 'string',
});

interface Case {
  readonly make: (i: number) => unknown;
  /** Reads all fields, as compiled user code would. */
  readonly read: (value: never) => number;
  readonly schema?: typeof BID_SCHEMA;
  readonly codegen?: boolean;
}

const makeBid = bids();
const words = Array.from({ length: 1000 }, (_, i) => flat(`word-number-${i}`));
const bidReader = (): ((bid: Bid) => number) => (bid) =>
  bid.auction + bid.bidder + bid.price + bid.dateTime + (bid.channel?.length ?? 0) + bid.url.length + bid.extra.length;
type Union = Bid | { readonly id: number; readonly name: string } | { readonly id: number; readonly at: number; readonly ok: boolean };
const readUnion = (value: Union): number => ('auction' in value ? value.price : 'name' in value ? value.name.length : value.at);
const nested = bidReader();

const cases: Record<string, Case> = {
  bid: { make: makeBid, read: bidReader() },
  'bid, declared': { make: makeBid, read: bidReader(), schema: BID_SCHEMA },
  'bid, interpreted': { make: makeBid, read: bidReader(), codegen: false },
  'bid, one field with nulls': { make: (i) => ({ ...makeBid(i), channel: i % 9 === 0 ? null : words[i % 1000] }), read: bidReader() },
  'bid, nested': {
    make: (i) => ({ bid: makeBid(i), rank: i }),
    read: (value: { bid: Bid; rank: number }) => nested(value.bid) + value.rank,
  },
  'three shapes': {
    make: (i) => (i % 3 === 0 ? makeBid(i) : i % 3 === 1 ? { id: i, name: words[i % 1000] } : { id: i, at: i * 1.5, ok: true }),
    read: readUnion,
  },
  numbers: { make: (i) => i * 7, read: (value: number) => value },
  strings: { make: (i) => words[i % 1000], read: (value: string) => value.length },
  pairs: { make: (i) => [words[i % 1000], i], read: (value: [string, number]) => value[0].length + value[1] },
  'list in a field (row)': {
    make: (i) => ({ id: i, tags: Array.from({ length: i % 5 }, (_, k) => words[(i + k) % 1000]) }),
    read: (value: { id: number; tags: string[] }) => value.id + value.tags.length,
  },
};

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}

function cpuNs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const used = process.cpuUsage(before);
  return (used.user + used.system) * 1000;
}

let checksum = 0;

function measure(name: string, { make, read, schema: declared, codegen }: Case): void {
  const records = Array.from({ length: BATCH * BATCHES }, (_, i) => make(i));
  const timestamps = new Float64Array(records.length).map((_, i) => 1_700_000_000_000 + i);
  const encoder = new BatchEncoder({ schema: declared, codegen });
  const decoder = new BatchDecoder({ schema: declared, codegen });
  const out = new ByteWriter(1 << 20);
  const ring = new Uint8Array(new SharedArrayBuffer(1 << 24));
  const values = new Array<unknown>(BATCH).fill(undefined);
  const stamps = new Float64Array(BATCH);
  const ends: number[] = [];
  const encodeAll = (): void => {
    let at = 0;
    for (let b = 0; b < BATCHES; b++) {
      out.reset();
      encoder.encode(records, timestamps, b * BATCH, BATCH, out);
      ring.set(out.view8(), at);
      at += out.length;
      ends[b] = at;
    }
  };
  const decodeAll = (): void => {
    let at = 0;
    for (let b = 0; b < BATCHES; b++) {
      const end = ends[b] as number;
      decoder.decode(ring, at, end - at, values, stamps);
      for (let i = 0; i < BATCH; i++) checksum += read(values[i] as never);
      at = end;
    }
  };
  const encode: number[] = [];
  const decode: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    encode.push(cpuNs(() => repeat(encodeAll)) / (PASSES * records.length));
    decode.push(cpuNs(() => repeat(decodeAll)) / (PASSES * records.length));
  }
  print(name, median(encode.slice(1)), median(decode.slice(1)), (ends[BATCHES - 1] as number) / records.length);
}

function measureJson(): void {
  const read = bidReader();
  const records = Array.from({ length: BATCH * BATCHES }, (_, i) => makeBid(i));
  const encoded: Buffer[] = [];
  const encode = cpuNs(() => {
    for (let b = 0; b < BATCHES; b++) encoded.push(Buffer.from(JSON.stringify(records.slice(b * BATCH, (b + 1) * BATCH))));
  });
  const decode = cpuNs(() => {
    for (const bytes of encoded) for (const value of JSON.parse(bytes.toString('utf8')) as unknown[]) checksum += read(value as Bid);
  });
  const bytes = encoded.reduce((sum, each) => sum + each.length, 0);
  print('bid, JSON', encode / records.length, decode / records.length, bytes / records.length);
}

function repeat(run: () => void): void {
  for (let i = 0; i < PASSES; i++) run();
}

function print(name: string, encode: number, decode: number, bytes: number): void {
  console.log(
    `${name.padEnd(26)} encode ${encode.toFixed(0).padStart(5)} ns  decode and read ${decode.toFixed(0).padStart(5)} ns  ${bytes.toFixed(0).padStart(4)} B`,
  );
}

console.log(
  `Node ${process.version}, ${BATCH} records a batch with timestamps, CPU time per record (all threads), median of ${ROUNDS - 1}`,
);
const wanted = process.argv.slice(2);
for (const [name, each] of Object.entries(cases)) if (wanted.length === 0 || wanted.includes(name)) measure(name, each);
if (wanted.length === 0) measureJson();
console.log(`checksum ${checksum}`);
