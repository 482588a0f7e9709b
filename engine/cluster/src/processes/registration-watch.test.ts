import { MillstreamError } from 'millstream';
import { VirtualClock } from 'millstream/testing';
import { expect, it } from 'vitest';
import { RegistrationWatch } from './registration-watch.js';

const LOST = new MillstreamError('CONNECTION_LOST', 'It is gone.');

function watch(timeoutMs: number): { clock: VirtualClock; watch: RegistrationWatch; errors: MillstreamError[] } {
  const clock = new VirtualClock();
  const errors: MillstreamError[] = [];
  const created = new RegistrationWatch(clock, timeoutMs);
  void created.expired.then((error) => errors.push(error));
  return { clock, watch: created, errors };
}

const promisesRun = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('expires a while after the start, however often it was looked for in between', async () => {
  const { clock, watch: searching, errors } = watch(1000);
  clock.advanceBy(600);
  searching.disconnected(LOST);
  clock.advanceBy(399);
  await promisesRun();
  expect(errors).toEqual([]);
  clock.advanceBy(1);
  await promisesRun();
  expect(errors).toEqual([
    expect.objectContaining({
      code: 'CONNECTION_FAILED',
      message: expect.stringMatching(/for 1 s \(taskmanager\.registration\.timeout\)\. It is gone\. Start it again/),
    }),
  ]);
});

it('measures anew after each registration', async () => {
  const { clock, watch: searching, errors } = watch(1000);
  clock.advanceBy(999);
  searching.registered();
  clock.advanceBy(100_000);
  searching.disconnected(LOST);
  clock.advanceBy(999);
  await promisesRun();
  expect(errors).toEqual([]);
  clock.advanceBy(1);
  await promisesRun();
  expect(errors).toHaveLength(1);
});

it('may be told to wait for ever', () => {
  const { clock, watch: searching } = watch(-1);
  searching.disconnected(LOST);
  expect(clock.nextTime).toBe(Number.POSITIVE_INFINITY);
});
