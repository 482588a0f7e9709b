/** The generator's lines, and w4 and w5 computed from them in the plainest way, have the same hashes as the Flink peer's dump. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Auction, auction, type Bid, bid, eventOfBid, kind, person } from './generator.js';

const RECORDS = 100_000;
const numbers = Array.from({ length: RECORDS }, (_, i) => i);
const windowStart = (time: number): number => Math.floor(time / 10_000) * 10_000;

function hashOf(lines: readonly string[]): string {
  return createHash('sha256')
    .update(lines.map((line) => `${line}\n`).join(''))
    .digest('hex');
}

test('bids', () => {
  const lines = numbers.map((i) => JSON.stringify(bid(eventOfBid(i))));
  expect(hashOf(lines)).toBe('a109004e749a8dd153f1b9fa12314649981f521acd55813bc55e3a80feb45d3b');
});

test('mixed events', () => {
  const lines = numbers.map((event) => {
    if (kind(event) === 0) return JSON.stringify({ person: person(event) });
    return JSON.stringify(kind(event) === 1 ? { auction: auction(event) } : { bid: bid(event) });
  });
  expect(hashOf(lines)).toBe('686f742da8d93ad5e7d19905adc81d0b43d197eb3385a72efa014b4807ca2d59');
});

test('w4, computed from the bids', () => {
  const windows = new Map<string, { auction: number; windowStart: number; count: number; max: number }>();
  for (const i of numbers) {
    const b = bid(eventOfBid(i));
    const key = `${b.auction}/${windowStart(b.dateTime)}`;
    const found = windows.get(key);
    if (found === undefined) windows.set(key, { auction: b.auction, windowStart: windowStart(b.dateTime), count: 1, max: b.price });
    else {
      found.count++;
      found.max = Math.max(found.max, b.price);
    }
  }
  const lines = [...windows.values()].map((row) => JSON.stringify(row)).sort();
  expect(lines).toHaveLength(6_946);
  expect(hashOf(lines)).toBe('225683760dbd497ba3071be57358d2365a90225432cb90ca230c4a18768ba054');
});

test('w5, computed from the events', () => {
  const auctions = new Map<number, Auction>();
  const bids: Bid[] = [];
  for (const event of numbers) {
    if (kind(event) === 2) bids.push(bid(event));
    if (kind(event) === 1) auctions.set(auction(event).id, auction(event));
  }
  const lines: string[] = [];
  for (const b of bids) {
    const a = auctions.get(b.auction);
    if (a === undefined || windowStart(a.dateTime) !== windowStart(b.dateTime)) continue;
    const { id, seller, category } = a;
    lines.push(JSON.stringify({ auction: id, seller, category, bidder: b.bidder, price: b.price, dateTime: b.dateTime }));
  }
  lines.sort();
  expect(lines).toHaveLength(88_883);
  expect(hashOf(lines)).toBe('b18585c321d9c93740bcd2352c4e567009c99a2df92823227c2f0c9d0ae5992b');
});
