import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../common/clock.js';
import { ExchangeDriver, nextNapMs } from './exchange-driver.js';

const words = new Int32Array(new SharedArrayBuffer(8));
const INDEX = 1;
let driver: ExchangeDriver | undefined;

afterEach(() => driver?.stop());

function drive(pump: () => boolean): ExchangeDriver {
  driver = new ExchangeDriver({ pump, words, index: INDEX, clock: systemClock });
  driver.start();
  return driver;
}

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function eventually(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 5000 && !condition(); i++) await rounds(1);
  expect(condition()).toBe(true);
}

describe('the driver of an exchange', () => {
  it.each([0.01, 2, 5, 8, 12, 20, 1000])('lets a few frames gather while it naps, at %d frames a ms', (framesPerMs) => {
    let napMs = 0.25;
    for (let i = 0; i < 200; i++) {
      napMs = nextNapMs(napMs, napMs * framesPerMs);
      expect(napMs).toBeGreaterThanOrEqual(0.25);
      expect(napMs).toBeLessThanOrEqual(1);
      if (i < 20) continue;
      // A ring has room for 16; a shorter or a longer nap is not allowed.
      expect(napMs * framesPerMs <= 7.5 || napMs === 0.25).toBe(true);
      expect(napMs * framesPerMs >= 2 || napMs === 1).toBe(true);
    }
  });

  it('pumps as long as there is something to move, then sleeps until its word is bumped', async () => {
    let pumped = 0;
    let work = 5;
    drive(() => {
      pumped++;
      return work-- > 0;
    });
    await eventually(() => pumped === 6);
    await rounds(50);
    expect(pumped).toBe(6);
    Atomics.notify(words, INDEX - 1);
    await rounds(50);
    expect(pumped).toBe(6);
    Atomics.add(words, INDEX, 1);
    Atomics.notify(words, INDEX);
    await eventually(() => pumped > 6);
  });

  it('does not fall asleep over what is published while it looks', async () => {
    let pumped = 0;
    drive(() => {
      pumped++;
      // Another thread publishes just after the rings were looked at.
      if (pumped === 1) Atomics.add(words, INDEX, 1);
      return false;
    });
    await eventually(() => pumped >= 2);
  });

  it('looks at each wake-up, however soon they follow each other', async () => {
    let waiting = 0;
    let moved = 0;
    const started = drive(() => {
      const all = waiting;
      moved += all;
      waiting = 0;
      return all > 0;
    });
    for (let i = 1; i <= 300; i++) {
      waiting++;
      started.wake();
      await eventually(() => moved === i);
    }
  });

  it('stops', async () => {
    let pumped = 0;
    const started = drive(() => {
      pumped++;
      return false;
    });
    await eventually(() => pumped === 1);
    started.stop();
    await rounds(20);
    started.wake();
    await rounds(20);
    expect(pumped).toBe(1);
  });
});
