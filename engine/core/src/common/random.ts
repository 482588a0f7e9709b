/** Randomness comes only through this interface: seeded, so that a run can be repeated. */

/** A source of random numbers. */
export interface Random {
  /** The next integer in [0, 2^32). */
  uint32(): number;
  /** The next integer in [0, bound); `bound` in [1, 2^32]. */
  below(bound: number): number;
  /** The next number in [0, 1) with 32 bits of randomness. */
  unit(): number;
}

/**
 * A seeded generator: xorshift32 over a murmur3-mixed seed. Not for secrets.
 * Source: G. Marsaglia, "Xorshift RNGs", 2003.
 */
export function seededRandom(seed: number): Random {
  let h = Math.trunc(seed) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  let state = (h ^ (h >>> 16)) | 0 || 0x6d2b79f5;
  const uint32 = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return {
    uint32,
    below: (bound) => Math.floor((uint32() / 0x1_0000_0000) * bound),
    unit: () => uint32() / 0x1_0000_0000,
  };
}

/** Where seeds and names come from that nobody else has: the machine, or a simulation that repeats them. */
export interface Entropy {
  /** An integer in [0, 2^32). */
  seed(): number;
  /** 32 hexadecimal digits. */
  token(): string;
}

/** A seed that differs from process to process; the only unseeded randomness of the engine. */
export function entropySeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number;
}

/** 128 unguessable bits as 32 hexadecimal digits. */
export function randomToken(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex');
}

/** The machine's: tokens are unguessable. */
export const systemEntropy: Entropy = { seed: entropySeed, token: randomToken };

/** Repeatable, so not for secrets. */
export function seededEntropy(random: Random): Entropy {
  const digits = (): string => random.uint32().toString(16).padStart(8, '0');
  return { seed: () => random.uint32(), token: () => digits() + digits() + digits() + digits() };
}
