/** `millstream cluster start`: a cluster of processes on this machine. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterClient, type ClusterOverview } from 'millstream/cluster';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { pause } from './cluster-harness.js';
import { millstream, type Running, startMillstream } from './command.js';

const ANY_PORT = ['-D', 'rest.port=0', '-D', 'jobmanager.rpc.port=0'];

let directory: string;
let file: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-local-'));
  file = join(directory, 'config.yaml');
  writeFileSync(file, 'minicluster.number-of-taskmanagers: 2\ntaskmanager.numberOfTaskSlots: 3\n');
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** The one that a test has started last: it ends with the test at the latest. */
let running: Running | undefined;
afterEach(async () => {
  running?.child.kill('SIGTERM');
  await running?.ended;
});

/** Where a cluster is that was started so, and what it looks like when it is complete. */
async function started(words: readonly string[], taskManagers: number): Promise<{ address: string; overview: ClusterOverview }> {
  running = startMillstream(['cluster', 'start', ...ANY_PORT, ...words]);
  let address: string | undefined;
  let shown = '';
  running.child.stderr?.on('data', (text: string) => {
    shown += text;
    address ??= /JobManager at (\S+)\n/.exec(shown)?.[1];
  });
  await running.shows('JobManager at ');
  while (address === undefined) await pause();
  const client = new ClusterClient({ addresses: [address] });
  let overview = await client.overview();
  while (overview.taskmanagers < taskManagers) {
    await pause();
    overview = await client.overview();
  }
  return { address, overview };
}

it('has as many TaskManagers and slots as the configuration says', async () => {
  const { overview } = await started(['--config', file], 2);
  expect(overview).toMatchObject({ taskmanagers: 2, 'slots-total': 6 });
});

it('has as many as the flags say, if they say it', async () => {
  const { overview } = await started(['--config', file, '-t', '1', '-s', '2'], 1);
  expect(overview).toMatchObject({ taskmanagers: 1, 'slots-total': 2 });
});

it('does not begin to start with a configuration that is wrong', async () => {
  const { code, stderr } = await millstream(['cluster', 'start', ...ANY_PORT, '-D', 'minicluster.number-of-taskmanagers=65']);
  expect(code).toBe(2);
  expect(stderr).toContain('option "minicluster.number-of-taskmanagers" to "65": it must be a whole number from 1 to 64');
});

it('logs as the configuration says, and starts however little that is', async () => {
  const { address } = await started(['--config', file, '-D', 'env.log.level=ERROR'], 2);
  running?.child.kill('SIGTERM');
  expect(await running?.ended).toMatchObject({ code: 0, stdout: '', stderr: `JobManager at ${address}\n` });
});

// Ctrl-C comes from the terminal, and again from npx; SIGTERM from a service manager to each process of a group, and again from here.
it.each(['SIGINT', 'SIGTERM'] as const)('ends with a last checkpoint of its jobs at a %s, also if it is echoed', async (signal) => {
  const { address } = await started(['-t', '2'], 2);
  const [log, checkpoints] = [join(directory, `log-${signal}`), join(directory, `checkpoints-${signal}`)];
  const flags = ['--detached', '--checkpoint-dir', checkpoints, '--checkpoint-interval', '10 min'];
  const submitted = await millstream(['run', '--jobmanager', address, ...flags, 'test/jobs/closing.ts', '--', '--log', log]);
  expect(submitted.code).toBe(0);
  while (!existsSync(log) || !readFileSync(log, 'utf8').includes('\n')) await pause();
  for (let i = 0; i < 2; i++) {
    running?.child.kill(signal);
    await pause();
  }
  expect(await running?.ended).toMatchObject({ code: 0, signal: null });
  const [run = ''] = readdirSync(checkpoints);
  expect(readdirSync(join(checkpoints, run)).filter((name) => name.startsWith('chk-'))).toHaveLength(1);
  expect(readFileSync(log, 'utf8')).toContain('close subtask 0');
});

it('that cannot start as it is configured says why', async () => {
  const { address } = await started(['-t', '1'], 1);
  const { port } = new URL(address);
  const { code, stderr } = await millstream(['cluster', 'start', '-D', 'jobmanager.rpc.port=0', '-D', `rest.port=${port}`]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringMatching(/ADDRESS_IN_USE.*rest\.port[\s\S]*its JobManager has said why/),
  });
});
