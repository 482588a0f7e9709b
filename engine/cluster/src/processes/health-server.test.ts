import { afterEach, expect, it } from 'vitest';
import { type HealthServer, startHealthServer } from './health-server.js';

let server: HealthServer | undefined;
afterEach(async () => {
  await server?.close();
});

async function ask(path: string, method = 'GET'): Promise<[number, unknown]> {
  const response = await fetch(`http://127.0.0.1:${server?.port}${path}`, { method });
  return [response.status, await response.json()];
}

it('says whether a process lives, and whether it is ready', async () => {
  let ready = false;
  server = await startHealthServer(0, () => ready);
  expect(await ask('/healthz')).toEqual([200, { status: 'ok' }]);
  expect(await ask('/readyz')).toEqual([503, { status: 'not ready' }]);
  ready = true;
  expect(await ask('/readyz')).toEqual([200, { status: 'ok' }]);
  expect((await ask('/jobs'))[0]).toBe(404);
  expect((await ask('/healthz', 'POST'))[0]).toBe(405);
});

it('names its option where the port is taken', async () => {
  server = await startHealthServer(0, () => true);
  await expect(startHealthServer(server.port, () => true)).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
    message: expect.stringContaining('process.health.port'),
  });
});
