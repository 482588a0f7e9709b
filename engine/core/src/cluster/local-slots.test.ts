import { beforeEach, describe, expect, it } from 'vitest';
import type { FromSlot, SlotPlan } from '../runtime/slot-messages.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { LocalSlots } from './local-slots.js';
import type { SlotHandleOptions } from './slot-handle.js';

const CLOSED: FromSlot = { type: 'cancelled', failures: [] };

/** Slots without threads, which say what the test says. */
class Rig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly started: SlotHandleOptions[] = [];
  /** What the slots were told, with the slot's number. */
  readonly told: string[] = [];
  readonly heard: string[] = [];
  readonly slots: LocalSlots = new LocalSlots({
    artifact: {} as SlotHandleOptions['artifact'],
    memory: { rings: new Map(), wakeWords: new SharedArrayBuffer(0), wakeIndexes: [] },
    youngGenerationMb: 1,
    startSlot: (options) => {
      this.started.push(options);
      const tell = (what: string): void => void this.told.push(`${what} ${options.slot}`);
      return { send: ({ type }) => tell(type), kill: async () => tell('kill') };
    },
    listener: {
      message: (slot, { type }) => this.heard.push(`${type} ${slot}`),
      lost: ({ code, details }) => this.heard.push(`${code} ${details.slot}`),
      closeFailed: ({ code, details }) => this.heard.push(`${code} ${details.slot}`),
    },
  });

  constructor(count: number) {
    this.slots.start(Array.from({ length: count }, (_, slot) => ({ slot }) as SlotPlan));
    this.told.length = 0;
  }

  say(slot: number, message: FromSlot): void {
    this.started[slot]?.onMessage(message);
  }

  /** Begins to close; whether that is done can be asked at any time. */
  close(): () => Promise<boolean> {
    let isClosed = false;
    void this.slots.close(this.clock).then(() => {
      isClosed = true;
    });
    return async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return isClosed;
    };
  }
}

let rig: Rig;
beforeEach(() => {
  rig = new Rig(3);
});

describe('slots that are to close', () => {
  it('are waited for until each has, and no longer', async () => {
    const isClosed = rig.close();
    expect(rig.told).toEqual(['cancel 0', 'cancel 1', 'cancel 2']);
    rig.say(0, CLOSED);
    rig.say(2, CLOSED);
    expect(await isClosed()).toBe(false);
    rig.say(1, CLOSED);
    expect(await isClosed()).toBe(true);
    expect([rig.heard, rig.clock.nextTime]).toEqual([[], Number.POSITIVE_INFINITY]);
  });

  it('are not waited for where they are gone', async () => {
    rig.slots.killSlot(1);
    await new Promise((resolve) => setImmediate(resolve));
    const isClosed = rig.close();
    expect(rig.told).toEqual(['kill 1', 'cancel 0', 'cancel 2']);
    rig.say(0, CLOSED);
    rig.say(2, CLOSED);
    expect(await isClosed()).toBe(true);
    expect(rig.heard).toEqual(['SLOT_LOST 1']);
  });

  it('keep nobody waiting once they are killed', async () => {
    const isClosed = rig.close();
    await rig.slots.kill();
    expect(await isClosed()).toBe(true);
    expect(rig.told.slice(3)).toEqual(['kill 0', 'kill 1', 'kill 2']);
    // No time has passed, and a slot that was not given the time to close is no failure.
    expect([rig.heard, rig.clock.nextTime]).toEqual([[], Number.POSITIVE_INFINITY]);
  });

  it('are named if they do not answer in time', async () => {
    const isClosed = rig.close();
    rig.say(1, CLOSED);
    rig.clock.advanceBy(9_999);
    expect(await isClosed()).toBe(false);
    rig.clock.advanceBy(1);
    expect(await isClosed()).toBe(true);
    expect(rig.heard).toEqual(['CLOSE_TIMEOUT 0', 'CLOSE_TIMEOUT 2']);
  });
});
