import { Availability } from 'millstream/connector';
import { VirtualClock } from 'millstream/testing';
import { expect, it } from 'vitest';
import { Pace } from './pace.js';

it('lets through what is due by the clock, and rings when there is more', async () => {
  const clock = new VirtualClock();
  const availability = new Availability();
  const pace = new Pace(clock, 500, availability);
  expect(pace.room()).toBe(0);
  clock.advanceBy(100);
  await availability.wait();
  expect(pace.room()).toBe(50);
  pace.took(50);
  let rung = false;
  const waiting = availability.wait().then(() => {
    rung = true;
  });
  expect(pace.room()).toBe(0);
  await Promise.resolve();
  expect(rung).toBe(false);
  clock.advanceBy(20);
  await waiting;
  expect(pace.room()).toBe(10);
});
