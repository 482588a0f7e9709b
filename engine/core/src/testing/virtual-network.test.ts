/** What only the virtual network does: it repeats itself from a seed, and is cut, slowed and broken where a test says so. */
import { describe, expect, it } from 'vitest';
import type { MillstreamError } from '../common/errors.js';
import { seededRandom } from '../common/random.js';
import type { Connection, ConnectionListener } from '../common/transport.js';
import { VirtualClock } from './virtual-clock.js';
import { runVirtualTime, VirtualNetwork, type VirtualNetworkOptions } from './virtual-network.js';

const ADDRESS = { host: 'b', port: 1 };

interface Rig {
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  /** What happened at which end, with its time. */
  readonly events: string[];
  run(ms: number): Promise<void>;
  connect(from?: string): Promise<Connection>;
}

function listenerOf(events: string[], name: string, clock: VirtualClock): ConnectionListener {
  const note = (what: string): void => void events.push(`${clock.now().toFixed(3)} ${name} ${what}`);
  return {
    onMessage: (message) => note(`message ${message.length}`),
    onDrain: () => note('drain'),
    onClose: (error) => note(`close ${error?.code ?? 'in good order'}`),
  };
}

/** Host b listens and keeps its ends in `accepted`. */
async function openRig(options: Partial<VirtualNetworkOptions> = {}, accepted: Connection[] = []): Promise<Rig> {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, random: seededRandom(1), ...options });
  const events: string[] = [];
  await network.host('b').listen(ADDRESS, (connection) => {
    accepted.push(connection);
    return listenerOf(events, 'b', clock);
  });
  const run = (ms: number): Promise<void> => runVirtualTime(clock, clock.now() + ms);
  const connect = async (from = 'a'): Promise<Connection> => {
    const [connection] = await Promise.all([network.host(from).connect(ADDRESS, listenerOf(events, from, clock)), run(50)]);
    return connection;
  };
  return { clock, network, events, run, connect };
}

function errorOf(promise: Promise<unknown>): Promise<MillstreamError> {
  return promise.then(
    () => {
      throw new Error('It did not reject.');
    },
    (error: unknown) => error as MillstreamError,
  );
}

/** The events without their times. */
function whatHappened(rig: Rig): readonly string[] {
  return rig.events.map((event) => event.slice(event.indexOf(' ') + 1));
}

describe('a virtual network', () => {
  async function trace(seed: number): Promise<readonly string[]> {
    const rig = await openRig({ random: seededRandom(seed) });
    const connections = [await rig.connect('a'), await rig.connect('c'), await rig.connect('d')];
    for (let size = 1; size <= 20; size++) connections[size % 3]?.send(new Uint8Array(size));
    await rig.run(100);
    return rig.events;
  }

  it('repeats itself from its seed, and orders connections by it', async () => {
    const first = await trace(7);
    expect(first).toHaveLength(20);
    expect(await trace(7)).toEqual(first);
    const orders = await Promise.all([1, 2, 3, 4].map(async (seed) => (await trace(seed)).map((event) => event.split(' ')[3]).join()));
    expect(new Set(orders).size).toBeGreaterThan(1);
  });

  it('holds what is sent during a partition, both ways, and brings it afterwards', async () => {
    const accepted: Connection[] = [];
    const rig = await openRig({}, accepted);
    const connection = await rig.connect();
    connection.send(new Uint8Array(1));
    rig.network.partition('a', 'b');
    connection.send(new Uint8Array(2));
    accepted[0]?.send(new Uint8Array(3));
    await rig.run(5_000);
    expect(rig.events).toEqual([]);
    expect(connection.pendingBytes).toBe(3);
    rig.network.heal('a', 'b');
    await rig.run(10);
    expect(whatHappened(rig).toSorted()).toEqual(['a message 3', 'b message 1', 'b message 2']);
    expect(connection.pendingBytes).toBe(0);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('brings everything in order through any partitions and delays (seed %d)', async (seed) => {
    const random = seededRandom(seed);
    const rig = await openRig({ random, bytesPerMs: 50, latencyMs: [0, 20] });
    const connections = [await rig.connect('a'), await rig.connect('c')];
    const sent: string[][] = [[], []];
    for (let step = 0; step < 200; step++) {
      const index = random.below(2);
      const host = index === 0 ? 'a' : 'c';
      const action = random.below(8);
      if (action === 0) rig.network.partition(host, 'b', random.below(2) === 0 ? 'both' : 'one-way');
      else if (action === 1) rig.network.partition('b', host, 'one-way');
      else if (action === 2) rig.network.heal(host, 'b');
      else if (action === 3) await rig.run(random.below(40));
      else {
        connections[index]?.send(new Uint8Array(step));
        sent[index]?.push(`message ${step}`);
      }
    }
    rig.network.heal();
    await rig.run(10_000);
    const received = whatHappened(rig).filter((event) => event.startsWith('b message'));
    for (const own of sent) {
      const steps = new Set(own);
      expect(received.map((event) => event.slice(2)).filter((message) => steps.has(message))).toEqual(own);
    }
    expect(received).toHaveLength(sent.flat().length);
  });

  it('can be cut in one direction', async () => {
    const accepted: Connection[] = [];
    const rig = await openRig({}, accepted);
    const connection = await rig.connect();
    rig.network.partition('a', 'b', 'one-way');
    connection.send(new Uint8Array(1));
    accepted[0]?.send(new Uint8Array(2));
    await rig.run(5_000);
    expect(whatHappened(rig)).toEqual(['a message 2']);
    const error = errorOf(rig.network.host('a').connect(ADDRESS, listenerOf(rig.events, 'a', rig.clock)));
    await rig.run(20_000);
    expect(await error).toMatchObject({ code: 'CONNECTION_FAILED', retryable: true });
  });

  it('connects when a partition ends within the timeout', async () => {
    const rig = await openRig();
    rig.network.partition('a', 'b');
    const connecting = rig.network.host('a').connect(ADDRESS, listenerOf(rig.events, 'a', rig.clock));
    await rig.run(3_000);
    rig.network.heal();
    await rig.run(3_000);
    expect((await connecting).remote).toBe('b:1');
  });

  it('brings the end of a connection that was closed during a partition', async () => {
    const rig = await openRig({ closeTimeoutMs: 1_000 });
    const [one, two] = [await rig.connect(), await rig.connect()];
    rig.network.partition('a', 'b');
    one.close();
    two.destroy();
    await rig.run(5_000);
    expect(whatHappened(rig)).toEqual(['a close in good order', 'a close CONNECTION_LOST']);
    rig.network.heal();
    await rig.run(10);
    expect(whatHappened(rig).slice(2)).toEqual(['b close CONNECTION_LOST', 'b close CONNECTION_LOST']);
    expect(rig.network.openEnds).toBe(0);
  });

  it.each([1, 2, 3, 4])('brings nothing before connect has resolved (seed %d)', async (seed) => {
    const clock = new VirtualClock();
    const network = new VirtualNetwork({ clock, random: seededRandom(seed), latencyMs: [0, 50] });
    const events: string[] = [];
    await network.host('b').listen(ADDRESS, (connection) => {
      connection.send(new Uint8Array(1));
      return listenerOf([], 'b', clock);
    });
    const listener = { ...listenerOf([], 'a', clock), onMessage: () => void events.push('message') };
    const connecting = network.host('a').connect(ADDRESS, listener);
    await Promise.all([connecting.then(() => events.push('connected')), runVirtualTime(clock, 1_000)]);
    expect(events).toEqual(['connected', 'message']);
  });

  it('takes as long as its bandwidth says, and drains once', async () => {
    const rig = await openRig({ bytesPerMs: 100, pendingBytesMax: 1_000, latencyMs: [2, 2] });
    const connection = await rig.connect();
    const start = rig.clock.now();
    expect(connection.send(new Uint8Array(500))).toBe(true);
    expect(connection.send(new Uint8Array(600))).toBe(false);
    expect(connection.send(new Uint8Array(100))).toBe(false);
    expect(connection.pendingBytes).toBe(1_200);
    await rig.run(100);
    expect(rig.events).toEqual([
      `${(start + 7).toFixed(3)} b message 500`,
      `${(start + 12).toFixed(3)} a drain`,
      `${(start + 13).toFixed(3)} b message 600`,
      `${(start + 14).toFixed(3)} b message 100`,
    ]);
  });

  it('delays one direction alone', async () => {
    const rig = await openRig({ latencyMs: [1, 1] });
    const connection = await rig.connect();
    rig.network.setLatency('a', 'b', [500, 500]);
    connection.send(new Uint8Array(1));
    await rig.run(499);
    expect(rig.events).toEqual([]);
    await rig.run(2);
    expect(whatHappened(rig)).toEqual(['b message 1']);
    rig.network.setLatency('a', 'b', undefined);
    connection.send(new Uint8Array(2));
    await rig.run(2);
    expect(whatHappened(rig)).toEqual(['b message 1', 'b message 2']);
  });

  it('breaks connections between two hosts, and counts them', async () => {
    const rig = await openRig();
    await rig.connect('a');
    await rig.connect('a');
    await rig.connect('c');
    expect(rig.network.breakConnections('a', 'b')).toBe(2);
    expect(whatHappened(rig).toSorted()).toEqual([
      'a close CONNECTION_LOST',
      'a close CONNECTION_LOST',
      'b close CONNECTION_LOST',
      'b close CONNECTION_LOST',
    ]);
    expect(rig.network.breakConnections('b')).toBe(1);
    expect(rig.network.breakConnections('b')).toBe(0);
  });

  it('refuses connections to a host while told so', async () => {
    const rig = await openRig();
    rig.network.refuseConnections('b', true);
    expect((await errorOf(rig.connect())).code).toBe('CONNECTION_FAILED');
    rig.network.refuseConnections('b', false);
    expect((await rig.connect()).remote).toBe('b:1');
  });
});

describe('a virtual host that dies', () => {
  it('breaks its connections, hears nothing, and does nothing more', async () => {
    const rig = await openRig();
    const connection = await rig.connect();
    connection.send(new Uint8Array(1));
    const dead = rig.network.host('b');
    rig.network.kill('b');
    let settled = false;
    void dead.listen({ host: 'b', port: 2 }, () => listenerOf(rig.events, 'b', rig.clock)).finally(() => (settled = true));
    void dead.connect({ host: 'a', port: 2 }, listenerOf(rig.events, 'b', rig.clock)).finally(() => (settled = true));
    await rig.run(20_000);
    expect(whatHappened(rig)).toEqual(['a close CONNECTION_LOST']);
    expect(settled).toBe(false);
    expect((await errorOf(rig.connect())).code).toBe('CONNECTION_FAILED');
  });

  it('starts again without its listeners', async () => {
    const rig = await openRig();
    rig.network.kill('b');
    const again = rig.network.host('b');
    expect((await errorOf(rig.connect())).code).toBe('CONNECTION_FAILED');
    await again.listen(ADDRESS, () => listenerOf(rig.events, 'b2', rig.clock));
    (await rig.connect()).send(new Uint8Array(1));
    await rig.run(5);
    expect(whatHappened(rig)).toEqual(['b2 message 1']);
  });

  it('is not noticed where it dies without a word, until it is back', async () => {
    const rig = await openRig();
    const connection = await rig.connect();
    rig.network.kill('b', true);
    connection.send(new Uint8Array(1));
    const error = errorOf(rig.network.host('a').connect(ADDRESS, listenerOf(rig.events, 'a', rig.clock)));
    await rig.run(60_000);
    expect(rig.events).toEqual([]);
    expect((await error).message).toContain('no answer in 10000 ms');
    rig.network.host('b');
    await rig.run(10);
    expect(whatHappened(rig)).toEqual(['a close CONNECTION_LOST']);
  });

  it('does not hear that it has destroyed a connection just before', async () => {
    const accepted: Connection[] = [];
    const rig = await openRig({}, accepted);
    await rig.connect();
    accepted[0]?.destroy();
    rig.network.kill('b');
    await rig.run(10);
    expect(whatHappened(rig)).toEqual(['a close CONNECTION_LOST']);
  });
});
