/** Every route of a real JobManager, with values that are of the wrong type, too large or mean harm: refused in shape, and it goes on. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterHarness } from './cluster-harness.js';

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly properties?: object } }>> };
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

/** None that ends the cluster, or that waits. */
const SPARED = new Set(['delete /cluster']);

let cluster: ClusterHarness;
let job: string;
let vertex: string;
let artifact: string;
let routes: { readonly method: string; readonly path: string; readonly operation: Operation }[];
let before: string[];

beforeAll(async () => {
  cluster = new ClusterHarness();
  const home = join(cluster.directory, 'home');
  mkdirSync(home);
  await cluster.start(1, { 'jobmanager.program.timeout': '5 s' });
  job = await cluster.run(
    'running-counts',
    { 'execution.checkpointing.dir': join(home, 'checkpoints') },
    ...['--', '--records', '1000', '--keys', '10', '--results', join(home, 'results'), '--until', join(home, 'until')],
  );
  await cluster.running(job);
  vertex = (await cluster.client.job(job)).vertices[0]?.id as string;
  artifact = (await cluster.client.artifacts()).files[0]?.id as string;
  const { paths } = (await (await fetch(`${cluster.restAddress}/openapi.json`)).json()) as { paths: Paths };
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => !SPARED.has(`${method} ${path}`))
      .map(([method, operation]) => ({ method, path, operation })),
  );
  before = readdirSync(cluster.directory, { recursive: true }).map(String);
});
afterAll(async () => {
  await cluster.stop();
});

const HOSTILE: readonly unknown[] = [
  ...[
    '',
    '..',
    '../..',
    '../../../etc/passwd',
    '%2e%2e%2f',
    '/',
    '//',
    '\\',
    '\0',
    'a\0b',
    '\ud800',
    '\u202e',
    '*',
    'NaN',
    '-1',
    '0',
    '1e400',
  ],
  ...[
    'null',
    'true',
    '__proto__',
    'constructor',
    'toString',
    'file:///etc/passwd',
    's3://',
    's3://no-such-bucket/x',
    'http://127.0.0.1:1/',
    'x'.repeat(300),
  ],
  ...[
    'x'.repeat(5000),
    '0123456789abcdef0123456789abcdef',
    '/dev/null/x',
    '/proc/self/mem',
    "'; DROP TABLE jobs; --",
    '$(reboot)',
    '<script>',
  ],
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    {},
    [],
    [[]],
    [null],
    { __proto__: null },
    { length: 1 },
    { toString: 1 },
    { a: { b: { c: {} } } },
  ],
];

/** Mostly what is there, so that the request comes far. */
function valueFor(name: string): fc.Arbitrary<unknown> {
  const known: Readonly<Record<string, unknown>> = {
    jobid: job,
    vertexid: vertex,
    jarid: artifact,
    subtaskindex: 0,
    attempt: 1,
    checkpointid: 1,
  };
  const hostile = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 20 }), fc.integer());
  return known[name] === undefined ? hostile : fc.oneof({ weight: 3, arbitrary: fc.constant(known[name]) }, hostile);
}

function encoded(value: unknown): string {
  const text = typeof value === 'string' ? value : String(JSON.stringify(value));
  // Half characters cannot be encoded at all.
  return encodeURIComponent(text.toWellFormed());
}

async function ask(method: string, url: string, body: string | undefined): Promise<{ status: number; text: string }> {
  const init = { method: method.toUpperCase(), ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }) };
  const response = await fetch(cluster.restAddress + url, init);
  return { status: response.status, text: await response.text() };
}

describe('a request to a real JobManager', () => {
  it('with any values to any route is answered or refused, never with a failure of the server', async () => {
    const requests = fc.constantFrom(...routes).chain(({ method, path, operation }) => {
      const names = (place: string): string[] => (operation.parameters ?? []).filter((each) => each.in === place).map(({ name }) => name);
      const fields = Object.keys(operation.requestBody?.content['application/json']?.schema.properties ?? {});
      const recordOf = (keys: readonly string[]): fc.Arbitrary<Record<string, unknown>> =>
        fc.record(Object.fromEntries(keys.map((name) => [name, valueFor(name)])), { requiredKeys: [] });
      return fc.record({
        method: fc.constant(method),
        path: fc.constant(path),
        inPath: fc.record(Object.fromEntries(names('path').map((name) => [name, valueFor(name)]))),
        query: recordOf(names('query')),
        body:
          operation.requestBody === undefined
            ? fc.constant(undefined)
            : fc.oneof(recordOf(fields), recordOf(fields), fc.constantFrom(...HOSTILE)),
      });
    });
    const property = fc.asyncProperty(requests, async ({ method, path, inPath, query, body }) => {
      // What would end the job that the others ask about.
      fc.pre(
        !(method === 'patch' && inPath.jobid === job) && !path.endsWith('/stop') && !(method === 'delete' && inPath.jarid === artifact),
      );
      const url = path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(inPath[name]));
      const asked = Object.entries(query).map(([name, value]) => `${name}=${encoded(value)}`);
      const { status, text } = await ask(method, `${url}?${asked.join('&')}`, body === undefined ? undefined : JSON.stringify(body));
      expect(status, text).toBeLessThan(500);
      if (status >= 400) {
        expect(JSON.parse(text)).toEqual({ errors: [expect.any(String)], code: expect.stringMatching(/^[A-Z_]+$/) });
        expect(text).not.toMatch(/node_modules|\.js:\d| at \w+ \(/);
      }
    });
    await fc.assert(property, { numRuns: 600, seed: 22 });
    expect((await ask('get', '/healthz', undefined)).status).toBe(200);
    expect(cluster.jobManager.child.exitCode).toBeNull();
    expect(cluster.jobManager.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  }, 120_000);

  it('that names a place for a savepoint where none can be says so in its operation', async () => {
    const { client } = cluster;
    for (const [target, code] of [
      ['/dev/null/x', /^[A-Z_]+$/],
      ['nothing://bucket/x', /^STORAGE_UNKNOWN$/],
      ['http://127.0.0.1:1/x', /^STORAGE_UNKNOWN$/],
    ] as const) {
      const trigger = await client.triggerSavepoint(job, { 'target-directory': target });
      const error = await client.completed(() => client.savepointOperation(job, trigger)).catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: expect.stringMatching(code) });
      expect((error as { code: string }).code).not.toBe('INTERNAL');
    }
    expect(await client.jobStatus(job)).toBe('RUNNING');
  });

  it('has written nothing outside of what it was told, and the job goes on to its end', async () => {
    const after = readdirSync(cluster.directory, { recursive: true }).map(String);
    const strange = after.filter((name) => !before.includes(name) && !/^home\/(checkpoints|results)/.test(name));
    expect(strange).toEqual([]);
    // Those that the requests have started wait for slots.
    const others = (await cluster.client.jobs()).filter(({ id }) => id !== job);
    await Promise.all(others.map(({ id }) => cluster.client.cancelJob(id)));
    writeFileSync(join(cluster.directory, 'home', 'until'), '');
    expect(await cluster.ended(job)).toBe('FINISHED');
  });
});
