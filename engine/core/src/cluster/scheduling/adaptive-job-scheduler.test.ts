import { expect, it } from 'vitest';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { SlotPool } from '../slot-pool.js';
import { AdaptiveJobScheduler } from './adaptive-job-scheduler.js';
import { pipeline } from './job-graph-sketch.test.support.js';

it('hears of slots from its first attempt to its end only', async () => {
  const clock = new VirtualClock();
  const pool = new SlotPool({ clock, spread: 'fill' });
  let listeners = 0;
  const onChange = pool.onChange.bind(pool);
  pool.onChange = (listener) => {
    listeners++;
    const end = onChange(listener);
    return () => {
      listeners--;
      end();
    };
  };
  const graph = pipeline({ parallelism: 2 });
  const scheduler = new AdaptiveJobScheduler({
    job: { pool, job: 'job', jobName: 'job', slots: {} as never },
    graph,
    requirements: {},
    config: {
      waitTimeoutMs: undefined,
      submissionStabilizationMs: 0,
      executingStabilizationMs: 0,
      cooldownMs: 0,
      minParallelismIncrease: 1,
      maxCheckpointFailures: 2,
      maxTriggerDelayMs: undefined,
    },
    spread: undefined,
    clock,
    run: () => ({ rescale: async () => undefined, restart: () => false }),
  });
  expect(listeners).toBe(0);
  for (let attempt = 0; attempt < 2; attempt++) {
    const waiting = scheduler.allocate({ graph, reason: 'submitted', rescalable: true });
    expect(listeners).toBe(1);
    scheduler.withdraw();
    await expect(waiting).rejects.toMatchObject({ code: 'NO_RESOURCE_AVAILABLE' });
  }
  scheduler.close();
  expect(listeners).toBe(0);
});
