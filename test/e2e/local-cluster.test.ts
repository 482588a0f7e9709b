/** `millstream cluster start`: a cluster of processes on this machine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterClient, type ClusterOverview } from 'millstream/cluster';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pause } from './cluster-harness.js';
import { millstream, startMillstream } from './command.js';

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

/** What a cluster looks like that was started so, when it is complete. Ends it. */
async function started(words: readonly string[], taskManagers: number): Promise<ClusterOverview> {
  const running = startMillstream(['cluster', 'start', ...ANY_PORT, ...words]);
  let address: string | undefined;
  let shown = '';
  running.child.stderr?.on('data', (text: string) => {
    shown += text;
    address ??= /JobManager at (\S+)\n/.exec(shown)?.[1];
  });
  await running.shows('JobManager at ');
  const client = new ClusterClient({ addresses: [address as string] });
  let overview = await client.overview();
  while (overview.taskmanagers < taskManagers) {
    await pause();
    overview = await client.overview();
  }
  running.child.kill('SIGTERM');
  expect((await running.ended).code).toBe(0);
  return overview;
}

it('has as many TaskManagers and slots as the configuration says', async () => {
  expect(await started(['--config', file], 2)).toMatchObject({ taskmanagers: 2, 'slots-total': 6 });
});

it('has as many as the flags say, if they say it', async () => {
  expect(await started(['--config', file, '-t', '1', '-s', '2'], 1)).toMatchObject({ taskmanagers: 1, 'slots-total': 2 });
});

it('does not begin to start with a configuration that is wrong', async () => {
  const { code, stderr } = await millstream(['cluster', 'start', ...ANY_PORT, '-D', 'minicluster.number-of-taskmanagers=65']);
  expect(code).toBe(2);
  expect(stderr).toContain('option "minicluster.number-of-taskmanagers" to "65": it must be a whole number from 1 to 64');
});
