import { expect, it } from 'vitest';
import type { AttemptDeployment } from './control-messages.js';
import { HostedSlotsLog } from './hosted-slots.js';

function deployment(run: string, attempt: number, slots: readonly number[], of: number, writes = true): AttemptDeployment {
  return {
    key: { job: `job of ${run}`, run, attempt, region: 0, term: 1 },
    plans: slots.map((slot) => ({ slot, localState: { writes, reads: true } })),
    hosts: new Array<string>(of).fill('tm'),
  } as unknown as AttemptDeployment;
}

it('says which slots a TaskManager has run last, of jobs that keep copies', () => {
  const log = new HostedSlotsLog();
  log.opened(deployment('r1', 1, [0, 1], 3));
  log.opened(deployment('r1', 2, [1], 3));
  log.opened(deployment('r2', 1, [0], 1, false));
  log.opened(deployment('r3', 1, [0], 1));
  expect(log.all()).toEqual([
    {
      job: 'job of r1',
      of: 3,
      slots: [
        [0, 1],
        [1, 2],
      ],
    },
    { job: 'job of r3', of: 1, slots: [[0, 1]] },
  ]);
  // Another parallelism: the slots are others.
  log.opened(deployment('r1', 3, [2], 4));
  log.forget('r3');
  expect(log.all()).toEqual([{ job: 'job of r1', of: 4, slots: [[2, 3]] }]);
});
