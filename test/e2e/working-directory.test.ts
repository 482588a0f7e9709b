/** What processes find again in their working directory when they are started anew. Real processes. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ClusterHarness, ClusterProcess } from './cluster-harness.js';

let cluster: ClusterHarness;
let working: string;
beforeEach(() => {
  cluster = new ClusterHarness();
  working = join(cluster.directory, 'work');
});
afterEach(async () => {
  await cluster.stop();
});

function stateFiles(directory: string): string[] {
  const entries = existsSync(directory) ? readdirSync(directory, { recursive: true, withFileTypes: true }) : [];
  return entries.filter((each) => each.isFile() && each.name.endsWith('.keyed')).map((each) => join(each.parentPath, each.name));
}

it('a TaskManager that was killed finds the copies of its state under its name', async () => {
  const options = { 'process.taskmanager.working-dir': working, 'taskmanager.resource-id': 'one' };
  const store = join(cluster.directory, 'checkpoints');
  await cluster.start(1, options);
  const job = await cluster.run(
    'running-counts',
    {
      'execution.checkpointing.dir': store,
      'execution.checkpointing.interval': '100 ms',
      'execution.checkpointing.local-backup.enabled': 'true',
      'execution.state-recovery.from-local': 'true',
      'restart-strategy.type': 'fixed-delay',
    },
    ...['--', '--until', join(cluster.directory, 'until'), '--results', join(cluster.directory, 'results')],
  );
  await cluster.completedCheckpoints(job, 2);
  expect(stateFiles(join(working, 'local-state-one')).length).toBeGreaterThan(0);
  await cluster.taskManagers[0]?.kill();
  // Only the copies are left.
  for (const file of stateFiles(store)) rmSync(file, { force: true });
  const { completed } = (await cluster.client.checkpoints(job)).counts;
  await cluster.addTaskManager(options);
  await cluster.completedCheckpoints(job, completed + 1);
  expect((await cluster.client.checkpoints(job)).counts.restored).toBe(1);
  await cluster.millstream('cancel', job);
  await cluster.taskManagers.at(-1)?.stop();
  expect(readdirSync(working)).toEqual([]);
});

it('a JobManager finds uploaded programs under its port', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = (server.address() as { readonly port: number }).port;
  await new Promise((resolve) => server.close(resolve));
  const options = { 'process.working-dir': working, 'jobmanager.rpc.port': port };
  await cluster.start(0, options);
  await cluster.client.uploadArtifact({
    name: 'a.mjs',
    content: (async function* () {
      yield new TextEncoder().encode('export {}');
    })(),
  });
  const { files } = await cluster.client.artifacts();
  await cluster.jobManager.stop();
  await cluster.start(0, options);
  expect((await cluster.client.artifacts()).files.map(({ id }) => id)).toEqual(files.map(({ id }) => id));
  expect(readdirSync(working)).toEqual([`jobmanager-${port}`]);
});

it('a process whose working directory cannot be one does not start', async () => {
  await cluster.start(0);
  const child = new ClusterProcess('taskmanager', { 'process.working-dir': '/dev/null/work' });
  expect(await child.exited).toBe(2);
  expect(child.log.map(({ msg }) => msg).join('\n')).toMatch(/INVALID_OPTION.*Set process\.working-dir to/);
});
