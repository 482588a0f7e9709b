/** Commands whose cluster cannot be reached: what they say, and how long they try. */
import { expect, it } from 'vitest';
import { millstream } from './command.js';

/** A port of this machine where nobody listens. */
const NOWHERE = 'localhost:1';

it('a command says that it tries again, and as what options it gives up', async () => {
  const env = { MILLSTREAM_REST__RETRY__DELAY: '10 ms' };
  const words = ['list', '--jobmanager', NOWHERE, '-D', 'rest.retry.max-attempts=2'];
  const { code, stdout, stderr } = await millstream(words, { env });
  const [first = '', last = '', ...more] = stderr.trimEnd().split('\n');
  expect({ code, stdout, more }).toEqual({ code: 1, stdout: '', more: [] });
  expect(first).toMatch(/^Cannot reach the cluster at http:\/\/localhost:1: .*Trying again \(rest\.retry\.max-attempts/);
  expect(last).toMatch(/CLUSTER_UNAVAILABLE.*Tried 3 times \(rest\.retry\.max-attempts\)/);
});

it('a limit that is none is refused by its name', async () => {
  const { code, stderr } = await millstream(['list', '--jobmanager', NOWHERE, '-D', 'rest.connection-timeout=0 s']);
  expect(code).toBe(2);
  expect(stderr).toContain('Cannot set option "rest.connection-timeout" to "0 s": it must be a duration of at least 1 ms');
});
