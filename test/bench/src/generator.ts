/**
 * The deterministic generator of the benchmarks, Nexmark-like: 32-bit integers only, so that the Java form in ../flink makes the same
 * records (its README specifies them). Every event is computed from its number alone.
 *
 * Written for speed, as the source is the limit of w1 and w2: the xorshift state is a local, tables are flat strings (V8 keeps `s += c`
 * as a rope, which every later concatenation would pay for), and all arithmetic is int32: event numbers stay below 2^31.
 */

/** Event time of event 0, less its jitter. */
export const BASE_TIME = 1_700_000_000_000;
/** Events come at most this much out of order. */
export const MAX_JITTER_MS = 1000;
/** Event numbers must stay below this. */
export const EVENT_NUMBER_LIMIT: number = 2 ** 31;

const SEED = 0x4d494c4c;
const URL_COUNT = 10_004;
const TEXT_COUNT = 1024;
const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple'];
const CITIES = ['Phoenix', 'Los Angeles', 'San Francisco', 'Boise', 'Portland', 'Bend', 'Redmond', 'Seattle', 'Kent', 'Cheyenne'];
const STATES = ['AZ', 'CA', 'CA', 'ID', 'OR', 'OR', 'WA', 'WA', 'WA', 'WY'];

export interface Bid {
  auction: number;
  bidder: number;
  price: number;
  channel: string;
  url: string;
  dateTime: number;
  extra: string;
}

export interface Auction {
  id: number;
  itemName: string;
  initialBid: number;
  reserve: number;
  dateTime: number;
  expires: number;
  seller: number;
  category: number;
  extra: string;
}

export interface Person {
  id: number;
  name: string;
  city: string;
  state: string;
  dateTime: number;
  extra: string;
}

/** The state that event `number` of a stream of random numbers starts from: murmur3's finaliser. */
function seed(number: number, stream: number): number {
  let h = (Math.imul(number, 0x9e3779b1) + SEED + Math.imul(stream, 0x85ebca77)) | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h === 0 ? 0x6d2b79f5 : h;
}

/** One step of xorshift32. The random number is `(state >>> 1) % m`. */
function step(state: number): number {
  let x = state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x;
}

const tables = buildTables();
const CHANNEL: readonly string[] = tables.channel;
const URL: readonly string[] = tables.url;
const EXTRA: readonly string[] = tables.extra;
const NAME: readonly string[] = tables.name;

function buildTables(): { channel: string[]; url: string[]; extra: string[]; name: string[] } {
  let x = 0;
  const next = (m: number): number => {
    x = step(x);
    return (x >>> 1) % m;
  };
  const letters = (count: number): string => {
    let text = '';
    for (let i = 0; i < count; i++) text += String.fromCharCode(97 + next(26));
    return text;
  };
  const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
  const channel: string[] = [];
  const url: string[] = [];
  const extra: string[] = [];
  const name: string[] = [];
  for (let c = 0; c < URL_COUNT; c++) {
    channel.push(flat(HOT_CHANNELS[c] ?? `channel-${c - HOT_CHANNELS.length}`));
    x = seed(c, 1);
    url.push(flat(`https://www.nexmark.test/${letters(5)}/${letters(5)}/${letters(5)}/item.htm?query=1&id=${c}`));
  }
  for (let k = 0; k < TEXT_COUNT; k++) {
    x = seed(k, 2);
    extra.push(flat(letters(30 + next(71))));
    x = seed(k, 3);
    name.push(flat(`${letters(6)} ${letters(8)}`));
  }
  return { channel, url, extra, name };
}

/** The number of the event that bid number `i` is. */
export function eventOfBid(i: number): number {
  return (((i / 46) | 0) * 50 + 4 + (i % 46)) | 0;
}

/** What event `event` is: 0 a person, 1 an auction, 2 a bid. */
export function kind(event: number): 0 | 1 | 2 {
  const m = event % 50;
  return m === 0 ? 0 : m < 4 ? 1 : 2;
}

/** Event time, of the event's first random state. */
function time(event: number, x: number): number {
  return BASE_TIME + (((event / 10) | 0) + MAX_JITTER_MS - ((x >>> 1) % MAX_JITTER_MS));
}

/** The bid that event `event` is. */
export function bid(event: number): Bid {
  const epoch = (event / 50) | 0;
  const last = (epoch * 3 + 2) | 0;
  let x = step(seed(event, 0));
  const dateTime = time(event, x);
  x = step(x);
  let auction = ((last / 100) | 0) * 100;
  if (((x >>> 1) & 1) !== 0) {
    x = step(x);
    auction = last - ((x >>> 1) % 100);
    if (auction < 0) auction = 0;
  }
  x = step(x);
  let bidder = ((epoch / 100) | 0) * 100;
  if (((x >>> 1) & 3) === 0) {
    x = step(x);
    bidder = epoch - ((x >>> 1) % 1000);
    if (bidder < 0) bidder = 0;
  }
  x = step(x);
  const base = (x >>> 1) % 10_000;
  x = step(x);
  const factor = 1 + ((x >>> 1) % 100);
  x = step(x);
  const hot = ((x >>> 1) & 1) === 0;
  x = step(x);
  const c = hot ? (x >>> 1) & 3 : 4 + ((x >>> 1) % 10_000);
  x = step(x);
  return {
    auction: (1000 + auction) | 0,
    bidder: (1000 + bidder) | 0,
    price: (100 + Math.imul(base, factor)) | 0,
    channel: CHANNEL[c]!,
    url: URL[c]!,
    dateTime,
    extra: EXTRA[(x >>> 1) & 1023]!,
  };
}

/** The auction that event `event` is. */
export function auction(event: number): Auction {
  const epoch = (event / 50) | 0;
  let x = step(seed(event, 0));
  const dateTime = time(event, x);
  x = step(x);
  const itemName = NAME[(x >>> 1) & 1023]!;
  x = step(x);
  const initialBid = 100 + ((x >>> 1) % 10_000);
  x = step(x);
  const reserve = initialBid + ((x >>> 1) % 10_000);
  x = step(x);
  const expires = dateTime + 10_000 + ((x >>> 1) % 50_000);
  x = step(x);
  const seller = 1000 + Math.max(0, epoch - ((x >>> 1) % 1000));
  x = step(x);
  const category = 10 + ((x >>> 1) % 5);
  x = step(x);
  const id = 1000 + epoch * 3 + (event % 50) - 1;
  return { id, itemName, initialBid, reserve, dateTime, expires, seller, category, extra: EXTRA[(x >>> 1) & 1023]! };
}

/** The person that event `event` is. */
export function person(event: number): Person {
  let x = step(seed(event, 0));
  const dateTime = time(event, x);
  x = step(x);
  const name = NAME[(x >>> 1) & 1023]!;
  x = step(x);
  const c = (x >>> 1) % 10;
  x = step(x);
  const id = 1000 + ((event / 50) | 0);
  return { id, name, city: CITIES[c]!, state: STATES[c]!, dateTime, extra: EXTRA[(x >>> 1) & 1023]! };
}
