/** The checksums, computed from the generator in the plainest way, are those of the Flink peer. */
import { expect, test } from 'vitest';
import { auction, bid, eventOfBid, kind } from './generator.js';
import {
  type AuctionWindow,
  type AuctionWithBid,
  auctionWindowLine,
  auctionWithBidLine,
  hashAuctionWindow,
  hashAuctionWithBid,
  hashBid,
  hashEuroBid,
  hashRunningCount,
  knownResult,
} from './results.js';

const BIDS = 2_000_000;
const EVENTS = 1_000_000;

class Sum {
  out = 0;
  checksum = 0;

  add(hash: number): void {
    this.out++;
    this.checksum = (this.checksum + hash) | 0;
  }
}

test('w1 to w4', () => {
  const w1 = new Sum();
  const w2 = new Sum();
  const w3 = new Sum();
  const w4 = new Sum();
  const counts = new Map<number, number>();
  const windows = new Map<number, AuctionWindow>();
  for (let i = 0; i < BIDS; i++) {
    const b = bid(eventOfBid(i));
    if (b.auction % 123 === 0) w1.add(hashBid(b));
    w2.add(hashEuroBid({ ...b, priceEuro: b.price * 0.908 }));
    const count = (counts.get(b.auction) ?? 0) + 1;
    counts.set(b.auction, count);
    w3.add(hashRunningCount({ auction: b.auction, count, stamp: 0 }));
    const index = Math.floor(b.dateTime / 10_000);
    const key = b.auction * 100 + (index % 100);
    const row = windows.get(key);
    if (row === undefined) windows.set(key, { auction: b.auction, windowStart: index * 10_000, count: 1, max: b.price });
    else {
      row.count++;
      row.max = Math.max(row.max, b.price);
    }
  }
  for (const row of windows.values()) w4.add(hashAuctionWindow(row));
  expect({ records: BIDS, ...w1 }).toEqual(knownResult('w1', BIDS));
  expect({ records: BIDS, ...w2 }).toEqual(knownResult('w2', BIDS));
  expect({ records: BIDS, ...w3 }).toEqual(knownResult('w3', BIDS));
  expect({ records: BIDS, ...w4 }).toEqual(knownResult('w4', BIDS));
});

test('w5', () => {
  const w5 = new Sum();
  const auctions = new Map<number, ReturnType<typeof auction>>();
  for (let event = 0; event < EVENTS; event++) {
    if (kind(event) === 1) auctions.set(auction(event).id, auction(event));
  }
  for (let event = 0; event < EVENTS; event++) {
    if (kind(event) !== 2) continue;
    const { auction: id, bidder, price, dateTime } = bid(event);
    const found = auctions.get(id);
    if (found === undefined || Math.floor(found.dateTime / 10_000) !== Math.floor(dateTime / 10_000)) continue;
    w5.add(hashAuctionWithBid({ auction: id, seller: found.seller, category: found.category, bidder, price, dateTime }));
  }
  expect({ records: EVENTS, ...w5 }).toEqual(knownResult('w5', EVENTS));
});

test('lines have the fields in the order of the dump, whatever the order in the record', () => {
  const window: AuctionWindow = { max: 4, count: 3, windowStart: 2, auction: 1 };
  expect(auctionWindowLine(window)).toBe('{"auction":1,"windowStart":2,"count":3,"max":4}');
  const joined: AuctionWithBid = { dateTime: 6, price: 5, bidder: 4, category: 3, seller: 2, auction: 1 };
  expect(auctionWithBidLine(joined)).toBe('{"auction":1,"seller":2,"category":3,"bidder":4,"price":5,"dateTime":6}');
});
