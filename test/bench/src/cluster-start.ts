/** `bench cluster-start`: from `millstream cluster start -t 2` until its two slots are free for a job. */

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ClusterClient, systemClock } from 'millstream/cluster';

const COMMAND = fileURLToPath(new URL('../../../../node_modules/.bin/millstream', import.meta.url));
const TASK_MANAGERS = 2;

export interface ClusterStart {
  readonly taskManagers: number;
  readonly readyMs: number;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function measureClusterStart(): Promise<ClusterStart> {
  const port = await freePort();
  const words = ['cluster', 'start', '-t', `${TASK_MANAGERS}`, '-D', `rest.port=${port}`, '-D', 'jobmanager.rpc.port=0'];
  const startedAt = systemClock.monotonic();
  const child = spawn(process.execPath, [COMMAND, ...words], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    const client = new ClusterClient({ addresses: [`http://localhost:${port}`], retriesMax: 0, leaderTimeoutMs: 0 });
    for (;;) {
      const slots = await client.overview().then(
        (overview) => overview['slots-available'],
        () => 0,
      );
      if (slots >= TASK_MANAGERS) return { taskManagers: TASK_MANAGERS, readyMs: Math.round(systemClock.monotonic() - startedAt) };
      if (child.exitCode !== null) throw new Error(`Cannot measure: 'millstream ${words.join(' ')}' ended with ${child.exitCode}.`);
      await new Promise<void>((resolve) => systemClock.schedule(10, resolve));
    }
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}
