/** The workloads' result records, what is summed into their checksums, their lines in a dump, and results that are known. */
import type { Bid } from './generator.js';
import type { Workload } from './workload-parameters.js';

/** w2. A shape of its own: a field that holds integers in one stream and fractions in another is slow in V8 if both share a shape. */
export interface EuroBid {
  auction: number;
  bidder: number;
  priceEuro: number;
  channel: string;
  url: string;
  dateTime: number;
  extra: string;
}

/** w3; `stamp` is the sum of prices, in w3lat the record's due time. */
export interface RunningCount {
  auction: number;
  count: number;
  stamp: number;
}

/** w4. */
export interface AuctionWindow {
  auction: number;
  windowStart: number;
  count: number;
  max: number;
}

/** w5. */
export interface AuctionWithBid {
  auction: number;
  seller: number;
  category: number;
  bidder: number;
  price: number;
  dateTime: number;
}

export const hashBid = (bid: Bid): number => bid.price | 0;
export const hashEuroBid = (bid: EuroBid): number => bid.priceEuro | 0;
/** Only the count: at a parallelism above 1 the order in which prices are added differs from run to run. */
export const hashRunningCount = (running: RunningCount): number => running.count | 0;
export const hashAuctionWindow = (row: AuctionWindow): number =>
  (Math.imul(row.auction, 31) + Math.imul(row.windowStart / 10_000, 17) + Math.imul(row.count, 7) + row.max) | 0;
export const hashAuctionWithBid = (row: AuctionWithBid): number =>
  (Math.imul(row.auction, 31) + Math.imul(row.bidder, 17) + Math.imul(row.price, 7) + (row.dateTime % 1_000_000)) | 0;

export const auctionWindowLine = ({ auction, windowStart, count, max }: AuctionWindow): string =>
  JSON.stringify({ auction, windowStart, count, max });
export const auctionWithBidLine = ({ auction, seller, category, bidder, price, dateTime }: AuctionWithBid): string =>
  JSON.stringify({ auction, seller, category, bidder, price, dateTime });

export interface KnownResult {
  readonly records: number;
  readonly out: number;
  readonly checksum: number;
}

/** From runs of the Flink peer. The same at every parallelism. */
export const KNOWN_RESULTS: Readonly<Record<Exclude<Workload, 'w3lat'>, readonly KnownResult[]>> = {
  w1: [
    { records: 2_000_000, out: 16_165, checksum: -221_161_514 },
    { records: 80_000_000, out: 662_913, checksum: -108_779_169 },
  ],
  w2: [
    { records: 2_000_000, out: 2_000_000, checksum: -1_050_671_856 },
    { records: 24_000_000, out: 24_000_000, checksum: 1_271_001_755 },
  ],
  w3: [
    { records: 2_000_000, out: 2_000_000, checksum: 396_906_457 },
    { records: 8_000_000, out: 8_000_000, checksum: 1_587_208_946 },
  ],
  w4: [
    { records: 2_000_000, out: 139_887, checksum: 386_486_872 },
    { records: 8_000_000, out: 560_840, checksum: 53_785_354 },
  ],
  w5: [
    { records: 1_000_000, out: 888_687, checksum: 1_046_796_028 },
    { records: 6_000_000, out: 5_335_447, checksum: 804_220_733 },
  ],
};

/** What a run must give, where it is known. */
export function knownResult(workload: Workload, records: number): KnownResult | undefined {
  return (KNOWN_RESULTS[workload === 'w3lat' ? 'w3' : workload] ?? []).find((known) => known.records === records);
}
