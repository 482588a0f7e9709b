/** What every `Network` does. The same suite runs on virtual time, on TCP and on TLS. */
import { createHash } from 'node:crypto';
import type { Connection, Network, NetworkAddress } from 'millstream/cluster';
import { seededRandom } from 'millstream/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, listenRecording, RecordingListener } from './recording-listener.test.support.js';

/** One network to be tested, seen from two hosts. `messageBytesMax` is 16 MiB, `pendingBytesMax` 1 MiB. */
export interface NetworkRig {
  readonly server: Network;
  readonly client: Network;
  /** Where the server may listen, with port 0. */
  readonly address: NetworkAddress;
  /** Lets time pass until the promise is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass until it holds; fails if it does not. */
  until(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Connection;
  readonly nearSide: RecordingListener;
  readonly far: Connection;
  readonly farSide: RecordingListener;
}

export function describeNetwork(name: string, open: () => Promise<NetworkRig>): void {
  describe(`${name} as a network`, () => {
    let rig: NetworkRig;

    beforeEach(async () => {
      rig = await open();
    });

    afterEach(() => rig.close());

    async function connectTo(address: NetworkAddress): Promise<readonly [Connection, RecordingListener]> {
      const listener = new RecordingListener();
      const connection = await rig.settle(rig.client.connect(address, listener));
      listener.connection = connection;
      return [connection, listener];
    }

    async function openPair(): Promise<Pair> {
      const { server, accepted } = await listenRecording(rig.server, rig.address);
      const [near, nearSide] = await connectTo(server.address);
      const farSide = accepted[0] as RecordingListener;
      return { near, nearSide, far: farSide.connection as Connection, farSide };
    }

    const bothClosed = ({ nearSide, farSide }: Pair) => rig.until(() => nearSide.closes.length > 0 && farSide.closes.length > 0);

    it.each([
      { sizes: [0, 1, 2, 3, 4, 5, 100, 0, 0] },
      // Around the sizes of slabs and of what sockets read at a time.
      { sizes: [16_379, 16_380, 16_381, 65_531, 65_532, 65_536, 65_537] },
      { sizes: [1_000_000, 1, 8 << 20, 1] },
    ])('brings messages whole and in order, both ways: $sizes', async ({ sizes }) => {
      const pair = await openPair();
      const messages = sizes.map((size, index) => patterned(size, index));
      for (const message of messages) {
        pair.near.send(message);
        pair.far.send(message);
      }
      await rig.until(() => pair.farSide.sizes.length === sizes.length && pair.nearSide.sizes.length === sizes.length);
      for (const side of [pair.nearSide, pair.farSide]) {
        expect(side.sizes).toEqual(sizes);
        expect(side.digest()).toBe(digestOf(messages));
      }
    });

    it('brings thousands of messages of all sizes in order', async () => {
      const pair = await openPair();
      const random = seededRandom(11);
      const messages = Array.from({ length: 5_000 }, (_, index) => patterned(random.below(random.below(3_000) + 1), index));
      for (const message of messages) pair.near.send(message);
      await rig.until(() => pair.farSide.sizes.length === messages.length);
      expect(pair.farSide.sizes).toEqual(messages.map(({ length }) => length));
      expect(pair.farSide.digest()).toBe(digestOf(messages));
    });

    it('copies what is sent', async () => {
      const pair = await openPair();
      const [small, large] = [patterned(100, 1), patterned(1_000_000, 2)];
      const digest = digestOf([small, large]);
      for (const message of [small, large]) {
        pair.near.send(message);
        message.fill(0);
      }
      await rig.until(() => pair.farSide.sizes.length === 2);
      expect(pair.farSide.digest()).toBe(digest);
    });

    it('says when enough is pending, takes more all the same, and drains once', async () => {
      const pair = await openPair();
      const message = patterned(256 * 1024, 3);
      let sent = 1;
      while (pair.near.send(message)) sent++;
      expect(pair.near.pendingBytes).toBeGreaterThanOrEqual(1 << 20);
      expect(pair.near.send(message)).toBe(false);
      sent++;
      expect(pair.nearSide.drains).toEqual([]);
      await rig.until(() => pair.nearSide.drains.length > 0 && pair.farSide.sizes.length === sent);
      expect(pair.nearSide.drains).toEqual([0]);
      expect(pair.near.send(patterned(1, 4))).toBe(true);
      await rig.until(() => pair.farSide.sizes.length === sent + 1 && pair.near.pendingBytes === 0);
      expect(pair.nearSide.drains).toHaveLength(1);
    });

    it('sends what is pending before it closes, and both ends hear a close in good order', async () => {
      const pair = await openPair();
      const messages = Array.from({ length: 20 }, (_, index) => patterned(300_000, index));
      for (const message of messages) pair.near.send(message);
      pair.near.close();
      expect(pair.nearSide.closes).toEqual([]);
      expect(pair.near.send(patterned(1, 0))).toBe(false);
      await bothClosed(pair);
      expect(pair.farSide.digest()).toBe(digestOf(messages));
      expect(pair.nearSide.closes).toEqual([undefined]);
      expect(pair.farSide.closes).toEqual([undefined]);
      expect([pair.near.send(patterned(1, 0)), pair.far.send(patterned(1, 0)), pair.far.pendingBytes]).toEqual([false, false, 0]);
    });

    it('can be closed by both ends at once, and again', async () => {
      const pair = await openPair();
      pair.near.send(patterned(10, 0));
      pair.near.close();
      pair.far.close();
      pair.far.close();
      await bothClosed(pair);
      pair.near.close();
      pair.far.destroy();
      await rig.settle(connectTo({ ...rig.address, port: 9 }).catch(() => undefined));
      expect([pair.nearSide.closes, pair.farSide.closes]).toEqual([[undefined], [undefined]]);
    });

    it('is destroyed at once, and the other end hears that it is lost', async () => {
      const pair = await openPair();
      pair.near.send(patterned(5_000_000, 0));
      pair.near.destroy();
      pair.near.destroy();
      expect(pair.nearSide.closes).toEqual([]);
      await bothClosed(pair);
      expect(pair.nearSide.closes).toEqual([undefined]);
      expect(pair.farSide.closes).toHaveLength(1);
      expect(pair.farSide.closes[0]).toMatchObject({ code: 'CONNECTION_LOST', retryable: true });
    });

    it('hears no more messages once it has closed from within one', async () => {
      const pair = await openPair();
      pair.farSide.onEach = () => pair.far.close();
      for (let index = 0; index < 10; index++) pair.near.send(patterned(10, index));
      await bothClosed(pair);
      expect(pair.farSide.sizes).toEqual([10]);
      expect([pair.nearSide.closes, pair.farSide.closes]).toEqual([[undefined], [undefined]]);
    });

    it('ends a connection whose listener throws, and no other', async () => {
      const { server, accepted } = await listenRecording(rig.server, rig.address);
      const [one, oneSide] = await connectTo(server.address);
      const [two] = await connectTo(server.address);
      const [oneFar, twoFar] = accepted as [RecordingListener, RecordingListener];
      oneFar.onEach = () => {
        throw new RangeError('not expected');
      };
      for (let index = 0; index < 3; index++) one.send(patterned(10, index));
      await rig.until(() => oneSide.closes.length > 0 && oneFar.closes.length > 0);
      expect(oneFar.sizes).toEqual([10]);
      expect(oneFar.closes[0]).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('not expected') });
      expect(oneSide.closeCode).toBe('CONNECTION_LOST');
      two.send(patterned(20, 0));
      await rig.until(() => twoFar.sizes.length > 0);
      expect(twoFar.closes).toEqual([]);
    });

    it('refuses a message above the limit, and goes on', async () => {
      const pair = await openPair();
      expect(() => pair.near.send(new Uint8Array((16 << 20) + 1))).toThrow(expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }));
      pair.near.send(patterned(16 << 20, 0));
      await rig.until(() => pair.farSide.sizes.length > 0);
      expect(pair.farSide.sizes).toEqual([16 << 20]);
    });

    it('brings what was sent while it was accepted, after connect has resolved', async () => {
      const side = new RecordingListener();
      let resolved = false;
      const server = await rig.server.listen(rig.address, (connection) => {
        connection.send(patterned(7, 0));
        connection.send(patterned(8, 1));
        connection.close();
        return new RecordingListener();
      });
      side.onEach = () => expect(resolved).toBe(true);
      await rig.settle(rig.client.connect(server.address, side).then(() => (resolved = true)));
      await rig.until(() => side.closes.length > 0);
      expect([side.sizes, side.closes]).toEqual([[7, 8], [undefined]]);
    });

    it('says that nothing listens', async () => {
      const { server } = await listenRecording(rig.server, rig.address);
      await server.close();
      const error = await errorOf(rig.settle(rig.client.connect(server.address, new RecordingListener())));
      expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retryable: true, details: { port: server.address.port } });
    });

    it('listens on a port once, and again when it has been given up; connections outlive their listener', async () => {
      const { server, accepted } = await listenRecording(rig.server, rig.address);
      expect(server.address.port).toBeGreaterThan(0);
      const [near] = await connectTo(server.address);
      expect((await errorOf(listenRecording(rig.server, server.address))).code).toBe('ADDRESS_IN_USE');
      await server.close();
      const again = await listenRecording(rig.server, server.address);
      await connectTo(again.server.address);
      near.send(patterned(9, 0));
      await rig.until(() => accepted[0]?.sizes.length === 1);
      expect([accepted.length, again.accepted.length]).toEqual([1, 1]);
    });

    it('has hundreds of connections at a time', async () => {
      const server = await rig.server.listen(rig.address, (connection) => {
        const echo = new RecordingListener();
        echo.onEach = (message) => connection.send(message);
        return echo;
      });
      const pairs = await rig.settle(Promise.all(Array.from({ length: 300 }, () => connectTo(server.address))));
      for (const [index, [connection]] of pairs.entries()) {
        connection.send(patterned(index, index));
        connection.send(patterned(10_000, index));
      }
      await rig.until(() => pairs.every(([, { sizes }]) => sizes.length === 2));
      expect(pairs.map(([, side]) => side.digest())).toEqual(pairs.map((_, i) => digestOf([patterned(i, i), patterned(10_000, i)])));
      for (const [connection] of pairs) connection.close();
      await rig.until(() => pairs.every(([, { closes }]) => closes.length === 1));
      expect(pairs.filter(([, { closeCode }]) => closeCode !== undefined)).toEqual([]);
    });
  });
}

/** Bytes that differ from message to message and within one. */
function patterned(size: number, seed: number): Uint8Array {
  const message = new Uint8Array(size);
  for (let index = 0; index < size; index++) message[index] = (index * 31 + (index >>> 8) * 7 + seed * 101) & 0xff;
  return message;
}

function digestOf(messages: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const message of messages) hash.update(message);
  return hash.digest('hex');
}
