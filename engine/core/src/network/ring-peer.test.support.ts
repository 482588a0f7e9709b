/** One side of a ring in a thread of its own, for ring.test: it sleeps on a wake word as slots do, and pauses at random. */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { seededRandom } from '../common/random.js';
import { FRAME_LAST, FRAME_MORE, type RingLayout, RingReader, RingWriter } from './ring.js';

export interface RingPeerData {
  readonly role: 'producer' | 'consumer';
  readonly memory: SharedArrayBuffer;
  readonly layout: RingLayout;
  /** Two words: the producer sleeps on 0, the consumer on 1; a third, if there is one, is not 0 when the producer is dead. */
  readonly words: SharedArrayBuffer;
  readonly seed: number;
  readonly frames: number;
  /** Of 1000 frames, so many are followed by a pause. */
  readonly pauses: number;
}

/** What a consumer found. */
export interface RingPeerResult {
  readonly frames: number;
  readonly checksum: number;
}

/** Size and first byte of frame `index`: up to three slots large. */
export function frameOf(seed: number, index: number, slotBytes: number): { readonly size: number; readonly first: number } {
  const random = seededRandom(seed + index * 7);
  return { size: 1 + random.below(random.below(4) === 0 ? slotBytes * 3 : 40), first: random.below(256) };
}

/** The checksum after one more byte. */
export function mix(checksum: number, byte: number): number {
  return (Math.imul(checksum, 31) + byte) | 0;
}

/** The checksum of the first frames. */
export function expectedChecksum(seed: number, frames: number, slotBytes: number): number {
  let checksum = 0;
  for (let index = 0; index < frames; index++) {
    const { size, first } = frameOf(seed, index, slotBytes);
    for (let at = 0; at < size; at++) checksum = mix(checksum, (first + at) & 0xff);
  }
  return checksum;
}

class Sleeper {
  private readonly words: Int32Array;
  private readonly mine: 0 | 1;

  constructor(words: SharedArrayBuffer, mine: 0 | 1) {
    this.words = new Int32Array(words);
    this.mine = mine;
  }

  seen(): number {
    return Atomics.load(this.words, this.mine);
  }

  wakePeer(): void {
    Atomics.add(this.words, 1 - this.mine, 1);
    Atomics.notify(this.words, 1 - this.mine);
  }

  isPeerDead(): boolean {
    return this.words.length > 2 && Atomics.load(this.words, 2) !== 0;
  }

  /** Until somebody wakes it. */
  async sleep(seen: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.words, this.mine, seen);
    if (waiting.async) await waiting.value;
  }
}

async function produce(data: RingPeerData): Promise<void> {
  const ring = new RingWriter(data.memory, data.layout);
  const sleeper = new Sleeper(data.words, 0);
  const random = seededRandom(data.seed ^ 0x5bd1);
  for (let index = 0; index < data.frames; index++) {
    const { size, first } = frameOf(data.seed, index, ring.slotBytes);
    for (let sent = 0; sent < size; ) {
      const seen = sleeper.seen();
      if (ring.room() === 0) {
        await sleeper.sleep(seen);
        continue;
      }
      const length = Math.min(size - sent, ring.slotBytes);
      const slot = ring.next();
      for (let at = 0; at < length; at++) slot[at] = first + sent + at;
      sent += length;
      if (ring.publish(sent === size ? FRAME_LAST : FRAME_MORE, length)) sleeper.wakePeer();
    }
    if (random.below(1000) < data.pauses) await pause(random.below(2));
  }
}

async function consume(data: RingPeerData): Promise<RingPeerResult> {
  const ring = new RingReader(data.memory, data.layout);
  const sleeper = new Sleeper(data.words, 1);
  const random = seededRandom(data.seed ^ 0x1b87);
  let frames = 0;
  let checksum = 0;
  let wholeChecksum = 0;
  while (frames < data.frames) {
    const seen = sleeper.seen();
    // Before looking for a frame: a dead producer publishes no more.
    const isPeerDead = sleeper.isPeerDead();
    const slot = ring.peek();
    if (slot === undefined) {
      if (isPeerDead) break;
      await sleeper.sleep(seen);
      continue;
    }
    for (let at = 0; at < ring.length; at++) checksum = mix(checksum, slot[at] as number);
    if (ring.kind === FRAME_LAST) {
      frames++;
      wholeChecksum = checksum;
    }
    if (ring.release()) sleeper.wakePeer();
    if (random.below(1000) < data.pauses) await pause(random.below(2));
  }
  return { frames, checksum: wholeChecksum };
}

const port = parentPort;
if (port !== null && (workerData as RingPeerData | undefined)?.role !== undefined) {
  const data = workerData as RingPeerData;
  // waitAsync does not keep a thread alive.
  const alive = setInterval(() => undefined, 1000);
  const result = data.role === 'producer' ? await produce(data) : await consume(data);
  clearInterval(alive);
  port.postMessage(result);
}
