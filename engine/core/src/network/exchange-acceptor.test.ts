/** How connections find their attempt. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Exchange } from './exchange.js';
import { decodeRefused, REFUSED } from './exchange-frames.js';
import { ATTEMPT, ExchangePair, frame, hello, LAYOUT, TIMEOUT_MS } from './exchange-pair.test.support.js';
import { allocateRing, FRAME_LAST, RingReader } from './ring.js';

let pair: ExchangePair;

beforeEach(async () => {
  pair = new ExchangePair();
  await pair.start();
});

describe('a connection', () => {
  it('finds its attempt, whichever side opens first', async () => {
    pair.openConsumer();
    const exchange = await pair.openProducer();
    pair.publish(7);
    pair.network.settle();
    expect(exchange.isConnected).toBe(true);
    expect(pair.takeReceived()).toEqual([7]);
  });

  it('waits for an attempt that is deployed a little later', async () => {
    const exchange = await pair.openProducer();
    pair.publish(8);
    pair.network.settle();
    pair.clock.advanceBy(TIMEOUT_MS - 1);
    pair.network.settle();
    expect([exchange.isConnected, pair.failures.producer]).toEqual([false, []]);
    const other = pair.openConsumer();
    pair.network.settle();
    expect([exchange.isConnected, other.isConnected]).toEqual([true, true]);
    expect(pair.takeReceived()).toEqual([8]);
    pair.clock.advanceBy(TIMEOUT_MS * 10);
    pair.network.settle();
    expect([pair.failures.producer, pair.failures.consumer]).toEqual([[], []]);
  });

  it('is refused when its attempt does not come', async () => {
    await pair.openProducer();
    pair.network.settle();
    pair.clock.advanceBy(TIMEOUT_MS);
    pair.network.settle();
    expect(pair.failures.producer.map(({ message }) => message)).toEqual([
      "Cannot exchange records with TaskManager 'consumer' in attempt 2 of job 'job': it has refused: the attempt is not deployed here, also after 1000 ms. The attempt fails, and the restart strategy decides what follows; see the log of 'consumer' if this comes again.",
    ]);
    expect(pair.failures.producer[0]?.details).toEqual({ failure: 'refused', taskManager: 'consumer', ...ATTEMPT });
    expect(pair.consumer.counters.staleConnections).toBe(1);
  });

  it.each([
    ['the attempt is closed', (exchange: Exchange) => exchange.close(), ATTEMPT],
    ['its leader is not the newest', () => pair.openConsumer({ attempt: { ...ATTEMPT, attempt: 3, term: 6 } }), { ...ATTEMPT, attempt: 1 }],
  ])('is refused at once when %s', async (_when, prepare, attempt) => {
    prepare(pair.openConsumer());
    await pair.openProducer({ attempt });
    pair.network.settle();
    expect(pair.failures.producer.map(({ details }) => details.failure)).toEqual(['refused']);
    expect(pair.failures.producer[0]?.message).toContain('the attempt is over here');
    expect(pair.consumer.counters.staleConnections).toBe(1);
  });

  it('that is held is refused when a newer leader deploys', async () => {
    await pair.openProducer();
    pair.network.settle();
    pair.openConsumer({ attempt: { ...ATTEMPT, term: 6 } });
    pair.network.settle();
    expect(pair.failures.producer).toHaveLength(1);
    expect([pair.consumer.counters.staleConnections, pair.failures.consumer]).toEqual([1, []]);
  });

  it.each([
    ['another token', { token: 'tokem' }, 'the token is not that of the attempt'],
    ['a longer token', { token: 'token2' }, 'the token is not that of the attempt'],
    ['a channel too many', { channels: ['channel', 'other'] }, "channel 'other' is not expected here"],
    ['a channel twice', { channels: ['channel', 'channel'] }, "channel 'channel' is not expected here"],
    ['a channel too few', { channels: [] }, "channel 'channel' is missing"],
    ['another producer', { producer: 'stranger' }, "no channel from TaskManager 'stranger' is expected here"],
    ['another consumer', { consumer: 'stranger' }, "it looks for TaskManager 'stranger', this is 'consumer'"],
    ['another version', { version: 9 }, 'it speaks version 9 of the exchange, this TaskManager 1'],
  ])('with %s is rejected, and harms nobody', async (_what, changes, reason) => {
    const exchange = pair.openConsumer();
    const { connection, heard, closed } = await pair.connectAsPeer();
    connection.send(hello(changes));
    connection.send(frame(1, 8));
    pair.network.settle();
    expect(heard.map((message) => [message[0], decodeRefused(message)])).toEqual([[REFUSED, reason]]);
    expect(closed).toEqual([undefined]);
    expect([pair.consumer.counters.rejectedConnections, pair.consumer.counters.lateFrames]).toEqual([1, 1]);
    await pair.openProducer();
    pair.network.settle();
    expect(exchange.isConnected).toBe(true);
    expect(pair.takeReceived()).toEqual([]);
  });

  it('that comes a second time is rejected, and the first goes on', async () => {
    pair.openConsumer();
    await pair.openProducer();
    pair.network.settle();
    const { connection, heard } = await pair.connectAsPeer();
    connection.send(hello());
    pair.network.settle();
    expect(heard.map(decodeRefused)).toEqual(['there is such a connection already']);
    pair.publish(3);
    pair.producer.pump();
    pair.network.settle();
    expect(pair.takeReceived()).toEqual([3]);
  });

  it.each([
    ['silence', undefined],
    ['something else', Uint8Array.of(71, 69, 84, 32)],
    ['nothing', Uint8Array.of()],
    ['far too much', new Uint8Array(4 * 1024 * 1024 + 1).fill(16)],
  ])('that brings %s is closed', async (_what, message) => {
    const { connection, closed } = await pair.connectAsPeer();
    if (message !== undefined) connection.send(message);
    else pair.clock.advanceBy(TIMEOUT_MS);
    pair.network.settle();
    expect(closed).toEqual([undefined]);
    expect(pair.consumer.counters.rejectedConnections).toBe(1);
  });

  it('that goes away while it is held is forgotten', async () => {
    const exchange = await pair.openProducer();
    pair.network.settle();
    exchange.close();
    pair.network.settle();
    pair.openConsumer();
    pair.clock.advanceBy(TIMEOUT_MS * 3);
    pair.network.settle();
    expect(pair.consumer.counters).toMatchObject({ staleConnections: 0, rejectedConnections: 0, lateFrames: 0 });
    expect([pair.failures.producer, pair.failures.consumer]).toEqual([[], []]);
  });

  it('that breaks while it is held is forgotten', async () => {
    const first = await pair.connectAsPeer();
    first.connection.send(hello());
    pair.network.settle();
    first.connection.destroy();
    const exchange = pair.openConsumer();
    const second = await pair.connectAsPeer();
    second.connection.send(hello());
    second.connection.send(frame(1, 8));
    pair.network.settle();
    expect([exchange.isConnected, pair.takeReceived()]).toEqual([true, [0]]);
  });

  it('may name its channels in any order', async () => {
    const other = allocateRing(LAYOUT);
    const channel = { taskManager: 'producer', wake: () => undefined };
    pair.openConsumer({
      incoming: [
        { ...channel, name: 'other', ring: other },
        { ...channel, name: 'channel', ring: pair.rings.received },
      ],
    });
    const { connection } = await pair.connectAsPeer();
    connection.send(hello({ channels: ['channel', 'other'] }));
    connection.send(frame(FRAME_LAST, 8));
    pair.network.settle();
    expect(pair.takeReceived()).toEqual([0]);
    expect(new RingReader(other, LAYOUT).peek()).toBeUndefined();
  });

  it('does not take more strangers than it has room for', async () => {
    const peers = [];
    for (let i = 0; i < 1025; i++) peers.push(await pair.connectAsPeer());
    pair.network.settle();
    expect(peers.filter(({ closed }) => closed.length > 0)).toHaveLength(1);
    expect(pair.consumer.counters.rejectedConnections).toBe(1);
  });
});
