/** Records for benchmarks: bids as in Nexmark, about 166 bytes each, most of them strings. */
import { type Random, seededRandom } from '../common/random.js';

export interface Bid {
  readonly auction: number;
  readonly bidder: number;
  readonly price: number;
  readonly channel: string | null;
  readonly url: string;
  readonly dateTime: number;
  readonly extra: string;
}

/** A string as it comes from a file or the network: not a rope. */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

function letters(random: Random, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) text += String.fromCharCode(97 + random.below(26));
  return text;
}

/** A maker of bids, always the same ones in the same order. */
export function bids(): (i: number) => Bid {
  const random = seededRandom(7);
  const channels = Array.from({ length: 10_000 }, (_, i) => flat(`channel-${i}`));
  const urls = channels.map((_, i) => flat(`https://www.nexmark.test/${letters(random, 17)}/item.htm?query=1&id=${i}`));
  const extras = Array.from({ length: 1024 }, () => flat(letters(random, 30 + random.below(71))));
  return (i) => {
    const c = random.below(2) === 0 ? random.below(4) : random.below(10_000);
    return {
      auction: 1000 + random.below(1_000_000),
      bidder: 1000 + random.below(100_000),
      price: 100 + random.below(1_000_000),
      channel: channels[c] as string,
      url: urls[c] as string,
      dateTime: 1_700_000_000_000 + i,
      extra: extras[random.below(1024)] as string,
    };
  };
}
