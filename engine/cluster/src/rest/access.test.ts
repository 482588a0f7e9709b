/** Who may do what. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AccessToken, neededRole } from './access.js';
import { JOB_ID } from './memory-cluster.test.support.js';
import { RestRig } from './rest-rig.test.support.js';
import { startRestServer } from './rest-server.js';

let rig: RestRig;

beforeEach(async () => {
  rig = await RestRig.start();
});

afterEach(async () => {
  await rig.server.close();
});

describe('access', () => {
  const TOKENS: readonly (AccessToken & { rank: number })[] = (['read', 'submit', 'admin'] as const).map((role, rank) => ({
    token: `${role}-token-0123456789`,
    role,
    rank,
  }));
  const ROUTES: readonly [number, string, string][] = [
    [0, 'GET', '/overview'],
    [0, 'GET', '/openapi.json'],
    [0, 'GET', `/jobs/${JOB_ID}`],
    [0, 'GET', '/no/such/path'],
    [1, 'POST', `/jobs/${JOB_ID}/savepoints`],
    [1, 'POST', '/jars/x/run'],
    [1, 'PUT', `/jobs/${JOB_ID}/resource-requirements`],
    [1, 'PATCH', `/jobs/${JOB_ID}`],
    [2, 'DELETE', '/jars/x'],
    [2, 'POST', '/savepoint-disposal'],
    [2, 'DELETE', '/cluster'],
  ];

  it.each(ROUTES)('of rank %i may %s %s', async (needed, method, path) => {
    await rig.restart({ tokens: TOKENS });
    const body = method === 'POST' ? {} : undefined;
    for (const authorization of [undefined, 'Bearer wrong-token-0123456789', 'Basic YTpi', 'Bearer', `Bearer ${TOKENS[2]?.token}x`]) {
      const refused = await rig.ask(method, path, body, authorization === undefined ? {} : { authorization });
      expect(refused).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
      expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    }
    for (const { token, rank } of TOKENS) {
      const { status } = await rig.ask(method, path, body, { authorization: `Bearer ${token}` });
      if (rank < needed) expect(status).toBe(403);
      else expect([401, 403]).not.toContain(status);
    }
    expect((await rig.ask('GET', '/healthz')).status).toBe(200);
  });

  it('to a route that says nothing is for admins', () => {
    expect([neededRole(undefined, true), neededRole(undefined, false), neededRole('anybody', true)]).toEqual(['admin', 'read', 'anybody']);
  });

  it('needs tokens beyond loopback', async () => {
    await expect(startRestServer({ ...rig.options, host: '0.0.0.0' })).rejects.toMatchObject({ code: 'REST_UNPROTECTED' });
    await expect(startRestServer({ ...rig.options, tokens: [{ token: 'short', role: 'read' }] })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
    const open = await startRestServer({ ...rig.options, host: '0.0.0.0', tokens: TOKENS });
    await open.close();
  });

  it('of pages in a browser is refused', async () => {
    const evil = { origin: 'http://localhost' };
    expect((await rig.ask('PATCH', `/jobs/${JOB_ID}`, undefined, evil)).status).toBe(403);
    expect((await rig.ask('PATCH', `/jobs/${JOB_ID}`, undefined, { origin: 'null' })).status).toBe(403);
    expect(await rig.get(`/jobs/${JOB_ID}/status`)).toEqual({ status: 'RUNNING' });
    expect((await rig.ask('PATCH', `/jobs/${JOB_ID}`, undefined, { origin: rig.server.url })).status).toBe(202);
  });

  it('of pages of the one origin that is allowed is granted, also before they have a token', async () => {
    const allowOrigin = 'https://localhost:8443';
    await rig.restart({ allowOrigin, tokens: TOKENS });
    const allowed = { origin: allowOrigin };
    const asked = await fetch(`${rig.server.url}/jobs/${JOB_ID}`, { method: 'OPTIONS', headers: allowed });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, allowOrigin]);
    expect(asked.headers.get('access-control-allow-methods')).toContain('PATCH');
    expect(asked.headers.get('access-control-allow-headers')).toContain('authorization');
    const without = await rig.ask('GET', '/overview', undefined, allowed);
    // A page that may not see why it was refused could not ask for a token.
    expect([without.status, without.headers.get('access-control-allow-origin')]).toEqual([401, allowOrigin]);
    const authorization = `Bearer ${TOKENS[1]?.token}`;
    expect((await rig.ask('PATCH', `/jobs/${JOB_ID}`, undefined, { ...allowed, authorization })).status).toBe(202);
    const other = { origin: 'https://localhost' };
    const refused = await rig.ask('PATCH', `/jobs/${JOB_ID}`, undefined, { ...other, authorization });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    const unanswered = await rig.ask('OPTIONS', `/jobs/${JOB_ID}`, undefined, other);
    expect([unanswered.status, unanswered.headers.get('access-control-allow-origin')]).toEqual([403, null]);
  });

  it.each(['*', 'dashboard.example', 'https://localhost/', 'ftp://dashboard.example', 'null'])(
    'cannot be granted to pages of %s',
    async (allowOrigin) => {
      await expect(startRestServer({ ...rig.options, allowOrigin })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('web.access-control-allow-origin'),
      });
    },
  );

  it('is answered with headers that browsers obey', async () => {
    for (const path of ['/overview', '/nothing', '/jobs/%zz']) {
      const { headers } = await rig.ask('GET', path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });

  it('to a port in use is a typed error', async () => {
    await expect(startRestServer({ ...rig.options, port: rig.server.port })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${rig.server.port}`),
    });
  });
});
