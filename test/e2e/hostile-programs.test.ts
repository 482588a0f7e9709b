/** Programs that do harm while they are loaded: an error for who submits them, and a cluster that goes on. Real processes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterHarness } from './cluster-harness.js';

let cluster: ClusterHarness;
/** One that does not wait long for a program; the other one waits as long as a busy machine needs. */
let impatient: ClusterHarness;
let pid: number | undefined;
beforeAll(async () => {
  cluster = new ClusterHarness();
  impatient = new ClusterHarness();
  const memory = { 'jobmanager.program.memory': '64 mb' };
  await cluster.start(1, { 'jobmanager.program.timeout': '2 min', ...memory });
  await impatient.start(0, { 'jobmanager.program.timeout': '1 s', ...memory });
  ({ pid } = cluster.jobManager.child);
});
afterAll(async () => {
  await Promise.all([cluster.stop(), impatient.stop()]);
});

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

async function submit(name: string, program: string, { client }: ClusterHarness = cluster): Promise<string> {
  const artifact = await client.uploadArtifact({ name: `${name}.mjs`, content: chunks(program) });
  return await client.runArtifact(artifact.id, {});
}

const FAILED = 'PROGRAM_FAILED';
const TEN = `import { defineJob } from 'millstream';
  export default defineJob((env) => { env.fromSequence(1, 10).map((n) => n + 1).print(); }, { name: 'ten' });`;

describe('a program that', () => {
  it.each<[string, string, string, RegExp]>([
    ['throws', "throw new Error('at load');", FAILED, /the program threw Error: at load/],
    ['throws nothing', 'throw null;', FAILED, /the program threw null/],
    ['throws what cannot be shown', 'throw { toString() { throw 1; } };', FAILED, /a value that cannot be shown/],
    ['throws later', 'setTimeout(() => { throw new Error("later"); }); await new Promise(() => {});', FAILED, /later/],
    [
      'throws later what cannot be shown',
      'setTimeout(() => { throw { toString: 1, valueOf: 1 }; }); await new Promise(() => {});',
      FAILED,
      /cannot be shown/,
    ],
    ['rejects', 'void Promise.reject(new Error("unhandled")); await new Promise((r) => setTimeout(r, 100_000));', FAILED, /unhandled/],
    ['is no module', 'export {', FAILED, /SyntaxError/],
    ['imports what is not there', "import 'no-such-package';", FAILED, /no-such-package/],
    ['has no job', 'export default 1;', 'INVALID_PLAN', /neither executed a job nor exported one/],
    ['exits', 'process.exit(0);', FAILED, /ended its thread \(exit code 0\)/],
    ['exits with a code', 'process.exit(7);', FAILED, /exit code 7\) before it had one: did it call process\.exit/],
    ['waits for ever', 'await new Promise(() => {});', FAILED, /nothing it waits for can happen/],
    ['fills the heap', 'const all = []; for (;;) all.push({ at: all.length });', FAILED, /more than 64 MB/],
    ['fills buffers', 'const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));', FAILED, /more than 64 MB/],
    ['prints without end', "for (;;) console.log('x'.repeat(1000));", FAILED, /more than 64 MB/],
  ])(
    '%s is refused',
    async (name, program, code, message) => {
      await expect(submit(name.replaceAll(' ', '-'), program)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      expect(await cluster.client.ready()).toBe(true);
    },
    60_000,
  );

  it.each([
    ['never ends', 'for (;;);'],
    ['waits for the clock', 'const end = Date.now() + 1; while (Date.now() < end);'],
    ['waits for a timer that comes too late', 'await new Promise((resolve) => setTimeout(resolve, 100_000));'],
  ])(
    '%s is refused after some time',
    async (name, program) => {
      const refused = submit(name.replaceAll(' ', '-'), program, impatient);
      await expect(refused).rejects.toMatchObject({ code: 'PROGRAM_TIMEOUT', message: expect.stringMatching(/within 1 s/) });
      expect(await impatient.client.ready()).toBe(true);
    },
    60_000,
  );

  it('is in order runs after all of them, in the same JobManager', async () => {
    const id = await submit('ten', TEN);
    expect(await cluster.ended(id)).toBe('FINISHED');
    expect(cluster.jobManager.child.exitCode).toBeNull();
    expect(cluster.jobManager.child.pid).toBe(pid);
    expect(await cluster.client.jobs()).toEqual([{ id, status: 'FINISHED' }]);
    expect(cluster.jobManager.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  it('is only planned is evaluated in a thread of its own', async () => {
    const artifact = await cluster.client.uploadArtifact({ name: 'ten.mjs', content: chunks(TEN) });
    expect(await cluster.client.planArtifact(artifact.id, {})).toMatchObject({ name: 'ten' });
    const broken = await cluster.client.uploadArtifact({ name: 'exit.mjs', content: chunks('process.exit(1);') });
    await expect(cluster.client.planArtifact(broken.id, {})).rejects.toMatchObject({ code: FAILED });
  });
});
