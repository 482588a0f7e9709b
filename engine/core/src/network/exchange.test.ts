/** How an exchange fails and ends. */
import { beforeEach, describe, expect, it } from 'vitest';
import { rawBufferOver } from '../common/raw-buffer.js';
import type { Connection, ConnectionListener, Network } from '../common/transport.js';
import type { Exchange } from './exchange.js';
import { CREDIT, decodeGoodbye, encodeAccepted, encodeGoodbye, GOODBYE } from './exchange-frames.js';
import { ATTEMPT, ExchangePair, frame, hello, PRODUCER, TIMEOUT_MS } from './exchange-pair.test.support.js';
import { MemoryNetwork } from './memory-network.test.support.js';
import { allocateRing, FRAME_LAST, type RingLayout, RingWriter } from './ring.js';

let pair: ExchangePair;

beforeEach(async () => {
  pair = new ExchangePair();
  await pair.start();
});

describe('an exchange', () => {
  it('takes the announcement of a barrier ahead of frames that have no credit, with its place', async () => {
    pair.openProducer();
    await pair.openConsumer();
    pair.network.settle();
    // The consumer takes nothing: its ring fills, then its queue, then the credit ends.
    let published = 0;
    for (let round = 0; round < 40; round++) {
      if (pair.roomToSend() > 0) pair.publish(++published);
      pair.producer.pump();
      pair.network.settle();
    }
    expect(pair.roomToSend()).toBe(0);
    pair.announce(7);
    pair.producer.pump();
    pair.network.settle();
    expect(pair.heardBarrier()).toEqual({ epoch: 7, completed: 6, overtakeInMs: 0, place: published });
    expect(pair.heardBarrier()).toBeUndefined();
    const received = pair.takeReceived();
    for (let round = 0; round < 40; round++) {
      pair.consumer.pump();
      pair.producer.pump();
      pair.network.settle();
      received.push(...pair.takeReceived());
    }
    expect(received).toEqual(Array.from({ length: published }, (_, at) => at + 1));
  });

  it('fails when nobody listens, or nobody answers', async () => {
    const incoming = { name: 'a', ring: pair.rings.received, taskManager: 'x', wake: () => undefined };
    await pair.openConsumer({ incoming: [{ ...incoming, address: { host: 'nowhere', port: 1 } }] });
    expect(pair.failures.consumer.map(({ code, details }) => [code, details.failure])).toEqual([['EXCHANGE_FAILED', 'unreachable']]);
    await pair.network.listen({ host: 'silent', port: 1 }, () => ({ onMessage: () => {}, onDrain: () => {}, onClose: () => {} }));
    await pair.openConsumer({
      attempt: { ...ATTEMPT, attempt: 3 },
      incoming: [{ ...incoming, address: { host: 'silent', port: 1 } }],
    });
    pair.network.settle();
    pair.clock.advanceBy(TIMEOUT_MS * 2);
    expect(pair.failures.consumer.at(-1)?.message).toContain('has not answered within 2000 ms');
  });

  it('that is closed in good order fails nobody, and drops and counts late frames', async () => {
    pair.openProducer();
    const other = await pair.openConsumer();
    pair.network.settle();
    pair.publish(1);
    pair.publish(2);
    pair.producer.pump();
    other.close();
    pair.network.settle();
    pair.publish(3);
    pair.producer.pump();
    pair.network.settle();
    expect([pair.failures.producer, pair.failures.consumer]).toEqual([[], []]);
    expect(pair.consumer.counters.lateFrames).toBe(2);
    expect(pair.takeReceived()).toEqual([]);
    expect(pair.network.connections.every(({ isClosed }) => isClosed)).toBe(true);
  });

  it.each(['producer', 'consumer'] as const)('whose attempt fails on the %s fails on the other side, once', async (side) => {
    const exchanges = { producer: pair.openProducer(), consumer: await pair.openConsumer() };
    pair.network.settle();
    exchanges[side].close(new Error('a slot has crashed'));
    exchanges[side].close();
    pair.network.settle();
    const other = side === 'producer' ? 'consumer' : 'producer';
    expect(pair.failures[side]).toEqual([]);
    expect(pair.failures[other].map(({ details }) => details.failure)).toEqual(['peer failed']);
    expect(pair.failures[other][0]?.message).toContain('has failed: a slot has crashed. The attempt');
    expect(pair.network.connections.every(({ isClosed }) => isClosed)).toBe(true);
    exchanges[other].close();
    expect(pair.failures[other]).toHaveLength(1);
  });

  it.each([
    ['a frame of no channel', frame(1 | (1 << 8), 8)],
    ['a frame of no kind', frame(9, 8)],
    ['a frame larger than a slot', frame(1, 72)],
    ['a frame of negative size', frame(1, -1, 8)],
    ['a frame that was cut', frame(1, 16, 8)],
    ['half a header', frame(1, 0).subarray(0, 5)],
    ['a second acceptance', encodeAccepted()],
    ['a broken goodbye', Uint8Array.of(GOODBYE, 1, 2)],
  ])('fails with %s', async (_what, message) => {
    const { connection, heard, closed } = await pair.openConsumerOfPeer();
    connection.send(message);
    pair.network.settle();
    expect(pair.failures.consumer.map(({ details }) => details.failure)).toEqual(['protocol']);
    expect(decodeGoodbye(heard[1] as Uint8Array).failed).toBe(true);
    expect(closed).toEqual([]);
    // A peer that does not close by itself.
    pair.clock.advanceBy(2000);
    expect(closed).toHaveLength(1);
  });

  it('fails when a producer sends more than its credit', async () => {
    const { connection } = await pair.openConsumerOfPeer();
    for (let i = 0; i < 200; i++) connection.send(frame(1, 64));
    pair.network.settle();
    expect(pair.failures.consumer.map(({ details }) => details.failure)).toEqual(['protocol']);
    expect(pair.failures.consumer[0]?.message).toContain('without credit for channel 0');
    // Two in the ring, then no more than fit the credit and the reserve.
    expect(pair.consumer.counters.framesQueued).toBe(Math.floor((200 + 4096) / 72));
  });

  it.each([
    ['credit for no channel', [1, 8]],
    ['credit that nobody took', [0, 1000]],
    ['negative credit', [0, -8]],
  ])('fails with %s', async (_what, [channel = 0, bytes = 0]) => {
    pair.openProducer();
    const peer = await pair.connectAsPeer();
    const credit = rawBufferOver(new Uint8Array(9));
    credit[0] = CREDIT;
    credit.writeInt32LE(channel, 1);
    credit.writeInt32LE(bytes, 5);
    pair.publish(1);
    peer.connection.send(hello());
    peer.connection.send(credit);
    pair.network.settle();
    expect(pair.failures.producer.map(({ details }) => details.failure)).toEqual(['protocol']);
  });

  it.each<[string, (sides: { producer: Exchange; consumer: Exchange }) => void]>([
    ['in good order', ({ producer, consumer }) => [producer, consumer].forEach((each) => void each.close())],
    ['on one side', ({ consumer }) => consumer.close()],
    ['with a failure', ({ producer }) => producer.close(new Error('a slot has crashed'))],
    ['by a broken connection', () => pair.network.connections[0]?.destroy()],
  ])('that has ended %s leaves no timer behind', async (_how, end) => {
    const sides = { producer: pair.openProducer(), consumer: await pair.openConsumer() };
    pair.network.settle();
    // Nor does one that is open need any.
    expect([sides.producer.isConnected, pair.clock.nextTime]).toEqual([true, Number.POSITIVE_INFINITY]);
    end(sides);
    pair.network.settle();
    expect(pair.network.connections.every(({ isClosed }) => isClosed)).toBe(true);
    expect(pair.clock.nextTime).toBe(Number.POSITIVE_INFINITY);
  });

  it('that was refused, or ends before it is answered, leaves no timer behind', async () => {
    pair.openProducer().close();
    await pair.openConsumer();
    pair.network.settle();
    expect([pair.failures.consumer.length, pair.clock.nextTime]).toEqual([1, Number.POSITIVE_INFINITY]);
    const waiting = await pair.openConsumer({ attempt: { ...ATTEMPT, attempt: 3 } });
    pair.network.settle();
    expect(pair.clock.nextTime).toBe(TIMEOUT_MS);
    waiting.close();
    pair.network.settle();
    expect(pair.clock.nextTime).toBe(Number.POSITIVE_INFINITY);
  });

  it('ends when its peer says goodbye in good order', async () => {
    const exchange = pair.openProducer();
    const { connection, closed } = await pair.connectAsPeer();
    connection.send(hello());
    connection.send(encodeGoodbye({ failed: false, reason: 'over' }));
    pair.network.settle();
    expect([pair.failures.producer, closed, exchange.isConnected]).toEqual([[], [undefined], false]);
  });

  it('that is closed while it connects leaves nothing behind', async () => {
    const other = pair.openProducer();
    const opened = pair.openConsumer();
    await pair.consumer.close();
    await opened;
    pair.network.settle();
    expect(pair.network.connections.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    expect([other.isConnected, pair.failures.producer, pair.failures.consumer]).toEqual([false, [], []]);
  });

  it('closes its connections at once when both sides close', async () => {
    const other = pair.openProducer();
    const exchange = await pair.openConsumer();
    pair.network.settle();
    other.close();
    exchange.close();
    pair.network.settle();
    expect(pair.network.connections.every(({ isClosed }) => isClosed)).toBe(true);
  });

  it('asks to be pumped again where a callback could not move everything', async () => {
    const layout: RingLayout = { slots: 16, slotBytes: 64 * 1024 };
    const full = { sent: allocateRing(layout), received: allocateRing(layout) };
    const writer = new RingWriter(full.sent, layout);
    while (writer.room() > 0) writer.publish(FRAME_LAST, layout.slotBytes);
    let requests = 0;
    const network = new MemoryNetwork(100_000_000);
    const roomy = new ExchangePair({ network, creditBytes: 2_000_000, requestPump: () => requests++ });
    await roomy.start();
    const channel = { name: 'channel', wake: () => undefined };
    roomy.openProducer({ layout, outgoing: [{ ...channel, ring: full.sent, taskManager: 'consumer' }] });
    await roomy.openConsumer({ layout, incoming: [{ ...channel, ring: full.received, taskManager: 'producer', address: PRODUCER }] });
    network.settle();
    expect(requests).toBeGreaterThan(0);
    while (roomy.producer.pump()) network.settle();
    expect(writer.room()).toBe(layout.slots);
  });

  it('sends each frame once also where a connection calls back while it sends', async () => {
    const layout: RingLayout = { slots: 4, slotBytes: 64 * 1024 };
    const ring = allocateRing(layout);
    const writer = new RingWriter(ring, layout);
    const lengths = [20_000, 100, 30_000, 50];
    for (const length of lengths) writer.publish(FRAME_LAST, length);
    const sent: Uint8Array[] = [];
    let accept: ((connection: Connection) => ConnectionListener) | undefined;
    const network: Network = {
      connect: () => Promise.reject(new Error('nobody connects')),
      listen: async (address, listener) => {
        accept = listener;
        return { address, close: async () => undefined };
      },
    };
    const direct = new ExchangePair({ network, creditBytes: 1_000_000 });
    await direct.start();
    direct.openProducer({ layout, outgoing: [{ name: 'channel', ring, taskManager: 'consumer', wake: () => undefined }] });
    const send = (message: Uint8Array): boolean => {
      sent.push(Uint8Array.from(message));
      listener?.onDrain();
      return true;
    };
    const listener = accept?.({ remote: 'peer', pendingBytes: 0, send, close: () => undefined, destroy: () => undefined });
    listener?.onMessage(hello({ creditBytes: 1_000_000 }));
    const found = sent.slice(1).map((message) => rawBufferOver(message).readInt32LE(4));
    expect(found).toEqual(lengths);
  });

  it('is closed with its service', async () => {
    pair.openProducer();
    await pair.openConsumer();
    pair.network.settle();
    await pair.producer.close();
    pair.network.settle();
    expect(pair.network.connections.every(({ isClosed }) => isClosed)).toBe(true);
    expect([pair.failures.producer, pair.failures.consumer]).toEqual([[], []]);
    await expect(pair.connectAsPeer()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });
});
