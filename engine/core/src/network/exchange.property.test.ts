/** The exchange under arbitrary interleavings of slots, pumps and network, with rings and credit so small that everything waits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameCost } from './exchange-frames.js';
import { CONTROL_RESERVE_BYTES } from './exchange-sender.js';
import { World, type WorldOptions } from './exchange-world.test.support.js';

const worlds = fc.record({
  seed: fc.integer(),
  taskManagers: fc.integer({ min: 2, max: 3 }),
  channelsPerPair: fc.integer({ min: 1, max: 3 }),
  frames: fc.integer({ min: 1, max: 40 }),
  layout: fc.record({ slots: fc.constantFrom(1, 2, 4), slotBytes: fc.constantFrom(24, 64, 200) }),
  creditBytes: fc.constantFrom(0, 1, 40, 80, 208, 209, 300, 1000, 100_000),
  pendingBytesMax: fc.constantFrom(0, 50, 500, 100_000),
  barrierEvery: fc.constantFrom(1, 3, 7, 100),
});

async function started(options: WorldOptions): Promise<World> {
  const world = new World(options);
  await world.start();
  return world;
}

describe('an exchange', () => {
  it('loses, doubles and reorders nothing and never gets stuck', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async (options) => {
        const world = await started(options);
        await world.run();
        expect(world.failures.flat()).toEqual([]);
        expect(world.channels.filter(({ isDone }) => !isDone).map(({ name, received }) => `${name} has ${received}`)).toEqual([]);
        expect(world.exchanges.every((exchange) => exchange?.isConnected)).toBe(true);
      }),
      { seed: 17, numRuns: 250 },
    );
  });

  it('does so with frames that fill a message, and more of them than one turn may move', async () => {
    const large = fc.record({
      seed: fc.integer(),
      taskManagers: fc.constant(2),
      channelsPerPair: fc.integer({ min: 1, max: 2 }),
      frames: fc.constant(24),
      layout: fc.constant({ slots: 16, slotBytes: 64 * 1024 }),
      creditBytes: fc.constantFrom(1, 100_000, 4_000_000),
      pendingBytesMax: fc.constantFrom(0, 100_000_000),
      barrierEvery: fc.constantFrom(5, 100),
    });
    await fc.assert(
      fc.asyncProperty(large, async (options) => {
        const world = await started(options);
        await world.run();
        expect(world.failures.flat()).toEqual([]);
        expect(world.channels.filter(({ isDone }) => !isDone)).toEqual([]);
      }),
      { seed: 29, numRuns: 12 },
    );
  });

  it('lets a channel that nobody reads hold up no other, and bounds what waits for it', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, fc.nat(), async (options, pick) => {
        const world = await started({ ...options, frames: 300 });
        const stuck = world.channels[pick % world.channels.length] as (typeof world.channels)[number];
        stuck.stuck = true;
        await world.run();
        expect(world.failures.flat()).toEqual([]);
        expect(world.channels.filter((channel) => channel !== stuck && !channel.isDone)).toEqual([]);
        const { slots, slotBytes } = options.layout;
        // Two rings full of frames, however small, and the credit.
        const frames = stuck.frames.slice(slots, Math.max(slots, stuck.sent - slots));
        const bytes = frames.reduce((sum, frame) => sum + frameCost(frame.length), 0);
        expect(bytes).toBeLessThanOrEqual(Math.max(options.creditBytes + CONTROL_RESERVE_BYTES, frameCost(slotBytes)));
      }),
      { seed: 5, numRuns: 30 },
    );
  });

  it('fails once on both sides when a connection breaks, at whatever step', async () => {
    const options: WorldOptions = {
      seed: 23,
      taskManagers: 2,
      channelsPerPair: 2,
      frames: 8,
      layout: { slots: 2, slotBytes: 64 },
      creditBytes: 150,
      pendingBytesMax: 100,
      barrierEvery: 4,
    };
    const whole = await started(options);
    await whole.run();
    let failedBoth = 0;
    for (let at = 0; at < whole.steps; at++) {
      const world = await started(options);
      await world.run(() => world.steps === at);
      const connections = world.network.connections.filter(({ isClosed }) => !isClosed);
      if (connections.length === 0) continue;
      connections[at % connections.length]?.breakOff(undefined);
      await world.run();
      const found = world.failures.map((errors) => errors.map(({ code, retryable }) => ({ code, retryable })));
      expect(found.flat().length, `at step ${at}`).toBeGreaterThan(0);
      for (const errors of found)
        expect(errors.length === 0 || errors).toEqual(errors.length === 0 || [{ code: 'EXCHANGE_FAILED', retryable: true }]);
      if (found.every((errors) => errors.length === 1)) failedBoth++;
      // Nobody relays any more, and what reached the slots before is a beginning of what was sent: `consume` checks it.
      const sent = world.services.map(({ counters }) => counters.framesOut);
      for (const service of world.services) expect(service.pump()).toBe(false);
      expect(world.services.map(({ counters }) => counters.framesOut)).toEqual(sent);
    }
    expect(failedBoth).toBeGreaterThan(whole.steps / 2);
  });
});
