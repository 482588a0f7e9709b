/** A cluster with TLS everywhere and tokens: who may do what, and who is not even heard. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterClient } from 'millstream/cluster';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ClusterHarness } from './cluster-harness.js';
import { millstream } from './command.js';

const TOKENS = { read: 'read-0123456789abcdef', submit: 'submit-0123456789abcdef', admin: 'admin-0123456789abcdef' } as const;
type Role = keyof typeof TOKENS;

let certificates: string;
let ca: string;
let cluster: ClusterHarness;

beforeAll(async () => {
  certificates = mkdtempSync(join(tmpdir(), 'millstream-certificates-'));
  const made = await millstream(['certs', certificates, '--name', 'jobmanager', '--name', 'taskmanager']);
  expect(made.code).toBe(0);
  ca = readFileSync(join(certificates, 'jobmanager', 'ca.pem'), 'utf8');
  // Secrets come from files or the environment; commands that follow need no more than this.
  const tokens = join(certificates, 'tokens');
  writeFileSync(tokens, `# of this test\nread ${TOKENS.read}\nsubmit ${TOKENS.submit}\n\nadmin ${TOKENS.admin}\n`);
  vi.stubEnv('MILLSTREAM_SECURITY__INTERNAL__TOKEN', 'internal-0123456789abcdef');
  vi.stubEnv('MILLSTREAM_SECURITY__SSL__REST__CA_FILE', join(certificates, 'jobmanager', 'ca.pem'));
  cluster = new ClusterHarness({ tls: { ca }, token: TOKENS.admin });
  await cluster.start(1, {
    'security.ssl.internal.cert-dir': join(certificates, 'jobmanager'),
    'security.ssl.rest.cert-dir': join(certificates, 'jobmanager'),
    'security.rest.token-file': tokens,
  });
});
afterAll(async () => {
  await cluster.stop();
  vi.unstubAllEnvs();
  rmSync(certificates, { recursive: true });
});

async function command(role: Role | undefined, ...words: readonly string[]): Promise<string> {
  vi.stubEnv('MILLSTREAM_TOKEN', role === undefined ? undefined : TOKENS[role]);
  return await cluster.millstream(...words);
}

describe('a cluster with TLS and tokens', () => {
  it('lets each role do what it may, over HTTPS', async () => {
    expect(cluster.restAddress).toMatch(/^https:/);
    const words = ['--', '--until', join(cluster.directory, 'until'), '--results', join(cluster.directory, 'results')];
    await expect(command(undefined, 'list')).rejects.toThrow(/UNAUTHORIZED/);
    expect(await command('read', 'list')).toBe('No jobs.\n');
    const submission = ['run', '--detached', '--json', 'test/jobs/running-counts.ts', ...words];
    await expect(command('read', ...submission)).rejects.toThrow(/FORBIDDEN.*role 'read'.*'submit'/);
    const { job } = JSON.parse(await command('submit', ...submission)) as { job: string };
    await cluster.running(job);
    await expect(command('read', 'cancel', job)).rejects.toThrow(/FORBIDDEN/);
    expect(await command('submit', 'cancel', job)).toContain('CANCELED');
    const submitter = new ClusterClient({ addresses: [cluster.restAddress], tls: { ca }, token: TOKENS.submit });
    await expect(submitter.shutDown()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is not reached by who does not know its authority, or speaks without TLS', async () => {
    const stranger = new ClusterClient({ addresses: [cluster.restAddress], token: TOKENS.admin, retriesMax: 0 });
    await expect(stranger.overview()).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      message: expect.stringContaining('certificate authority'),
    });
    const plain = new ClusterClient({ addresses: [cluster.restAddress.replace('https', 'http')], token: TOKENS.admin, retriesMax: 0 });
    await expect(plain.overview()).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' });
  });

  it('tells no token: not in its logs, nor in the configuration that it serves', async () => {
    const told = JSON.stringify([
      cluster.jobManager.log,
      cluster.taskManagers.map(({ log }) => log),
      await cluster.client.clusterConfiguration(),
    ]);
    expect([...Object.values(TOKENS), 'internal-0123456789abcdef'].filter((token) => told.includes(token))).toEqual([]);
  });
});
