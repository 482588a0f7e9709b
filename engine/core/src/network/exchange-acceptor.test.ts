/** How connections find their attempt. */
import { beforeEach, describe, expect, it } from 'vitest';
import { rawBufferOver } from '../common/raw-buffer.js';
import type { Exchange } from './exchange.js';
import { ACCEPTED, decodeRefused, EXCHANGE_VERSION, REFUSED } from './exchange-frames.js';
import { ATTEMPT, ExchangePair, frame, hello, LAYOUT, TIMEOUT_MS } from './exchange-pair.test.support.js';
import { allocateRing, FRAME_LAST, RingWriter } from './ring.js';

let pair: ExchangePair;

beforeEach(async () => {
  pair = new ExchangePair();
  await pair.start();
});

describe('a connection', () => {
  it('finds its attempt, whichever side opens first', async () => {
    pair.openProducer();
    const exchange = await pair.openConsumer();
    pair.publish(7);
    pair.network.settle();
    expect(exchange.isConnected).toBe(true);
    expect(pair.takeReceived()).toEqual([7]);
  });

  it('waits for an attempt that is deployed a little later', async () => {
    const exchange = await pair.openConsumer();
    pair.publish(8);
    pair.network.settle();
    pair.clock.advanceBy(TIMEOUT_MS - 1);
    pair.network.settle();
    expect([exchange.isConnected, pair.failures.consumer]).toEqual([false, []]);
    const other = pair.openProducer();
    pair.network.settle();
    expect([exchange.isConnected, other.isConnected]).toEqual([true, true]);
    expect(pair.takeReceived()).toEqual([8]);
    pair.clock.advanceBy(TIMEOUT_MS * 10);
    pair.network.settle();
    expect([pair.failures.consumer, pair.failures.producer]).toEqual([[], []]);
  });

  it('is refused when its attempt does not come', async () => {
    await pair.openConsumer();
    pair.network.settle();
    pair.clock.advanceBy(TIMEOUT_MS);
    pair.network.settle();
    expect(pair.failures.consumer.map(({ message }) => message)).toEqual([
      "Cannot exchange records between TaskManagers 'consumer' and 'producer' in attempt 2 of job 'job': 'producer' has refused: the attempt is not deployed here, also after 1000 ms. The attempt fails, and the restart strategy decides what follows; see the log of 'producer' if this comes again.",
    ]);
    expect(pair.failures.consumer[0]?.details).toEqual({ failure: 'refused', taskManager: 'producer', reportedBy: 'consumer', ...ATTEMPT });
    expect(pair.producer.counters.staleConnections).toBe(1);
  });

  it.each([
    ['the attempt is closed', (exchange: Exchange) => exchange.close(), ATTEMPT],
    ['its leader is not the newest', () => pair.openProducer({ attempt: { ...ATTEMPT, attempt: 3, term: 6 } }), { ...ATTEMPT, attempt: 1 }],
  ])('is refused at once when %s', async (_when, prepare, attempt) => {
    prepare(pair.openProducer());
    await pair.openConsumer({ attempt });
    pair.network.settle();
    expect(pair.failures.consumer.map(({ details }) => details.failure)).toEqual(['refused']);
    expect(pair.failures.consumer[0]?.message).toContain('the attempt is over here');
    expect(pair.producer.counters.staleConnections).toBe(1);
  });

  it('that is held is refused when a newer leader deploys', async () => {
    await pair.openConsumer();
    pair.network.settle();
    pair.openProducer({ attempt: { ...ATTEMPT, term: 6 } });
    pair.network.settle();
    expect(pair.failures.consumer).toHaveLength(1);
    expect([pair.producer.counters.staleConnections, pair.failures.producer]).toEqual([1, []]);
  });

  it.each([
    ['another token', { token: 'tokem' }, 'the token is not that of the attempt'],
    ['a longer token', { token: 'token2' }, 'the token is not that of the attempt'],
    ['a channel too many', { channels: ['channel', 'other'] }, "channel 'other' is not expected here"],
    ['a channel twice', { channels: ['channel', 'channel'] }, "channel 'channel' is not expected here"],
    ['a channel too few', { channels: [] }, "channel 'channel' is missing"],
    ['another consumer', { consumer: 'stranger' }, "no channel to TaskManager 'stranger' is expected here"],
    ['another producer', { producer: 'stranger' }, "it looks for TaskManager 'stranger', this is 'producer'"],
    ['another version', { version: 9 }, `it speaks version 9 of the exchange, this TaskManager ${EXCHANGE_VERSION}`],
  ])('with %s is rejected, and harms nobody', async (_what, changes, reason) => {
    const exchange = pair.openProducer();
    const { connection, heard, closed } = await pair.connectAsPeer();
    connection.send(hello(changes));
    connection.send(frame(1, 8));
    pair.network.settle();
    expect(heard.map((message) => [message[0], decodeRefused(message)])).toEqual([[REFUSED, reason]]);
    expect(closed).toEqual([undefined]);
    expect([pair.producer.counters.rejectedConnections, pair.producer.counters.lateFrames]).toEqual([1, 1]);
    await pair.openConsumer();
    pair.network.settle();
    expect(exchange.isConnected).toBe(true);
    expect(pair.takeReceived()).toEqual([]);
  });

  it('that comes a second time is rejected, and the first goes on', async () => {
    pair.openProducer();
    await pair.openConsumer();
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
    expect(pair.producer.counters.rejectedConnections).toBe(1);
  });

  it('that goes away while it is held is forgotten', async () => {
    const exchange = await pair.openConsumer();
    pair.network.settle();
    exchange.close();
    pair.network.settle();
    pair.openProducer();
    pair.clock.advanceBy(TIMEOUT_MS * 3);
    pair.network.settle();
    expect(pair.producer.counters).toMatchObject({ staleConnections: 0, rejectedConnections: 0, lateFrames: 0 });
    expect([pair.failures.consumer, pair.failures.producer]).toEqual([[], []]);
  });

  it('that breaks while it is held is forgotten', async () => {
    const first = await pair.connectAsPeer();
    first.connection.send(hello());
    pair.network.settle();
    first.connection.destroy();
    const exchange = pair.openProducer();
    const second = await pair.connectAsPeer();
    second.connection.send(hello());
    pair.publish(4);
    pair.network.settle();
    expect([exchange.isConnected, second.heard.map(([type]) => type)]).toEqual([true, [ACCEPTED, FRAME_LAST]]);
  });

  it('may name its channels in any order', async () => {
    const other = allocateRing(LAYOUT);
    const channel = { taskManager: 'consumer', wake: () => undefined };
    pair.openProducer({
      outgoing: [
        { ...channel, name: 'other', ring: other },
        { ...channel, name: 'channel', ring: pair.rings.sent },
      ],
    });
    const { connection, heard } = await pair.connectAsPeer();
    connection.send(hello({ channels: ['other', 'channel'].reverse() }));
    pair.publish(6);
    new RingWriter(other, LAYOUT).publish(FRAME_LAST, 0);
    pair.network.settle();
    pair.producer.pump();
    pair.network.settle();
    const tags = heard.slice(1).map((message) => rawBufferOver(message).readInt32LE(0));
    expect(tags).toEqual([FRAME_LAST]);
  });

  it('does not take more strangers than it has room for', async () => {
    const peers = [];
    for (let i = 0; i < 1025; i++) peers.push(await pair.connectAsPeer());
    pair.network.settle();
    expect(peers.filter(({ closed }) => closed.length > 0)).toHaveLength(1);
    expect(pair.producer.counters.rejectedConnections).toBe(1);
  });
});
