/** `millstream cluster start`: a whole cluster on this machine, as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { MillstreamError } from 'millstream';
import { clientOptions } from './client-configuration.js';

/** The command's options, as they were written. */
export interface LocalClusterFlags {
  /** Default: `minicluster.number-of-taskmanagers`. */
  readonly taskmanagers?: number;
  /** Default: `taskmanager.numberOfTaskSlots`. */
  readonly slots?: number;
  readonly config?: string;
  readonly define?: Record<string, string>;
}

const OWN = process.argv[1] as string;

/** Runs until a signal, or until its JobManager ends. */
export async function localClusterCommand(flags: LocalClusterFlags): Promise<void> {
  const taskManagers = flags.taskmanagers ?? (await clientOptions(flags))['minicluster.number-of-taskmanagers'];
  const definitions = Object.entries(flags.define ?? {}).flatMap(([key, value]) => ['-D', `${key}=${value}`]);
  const common = [...(flags.config === undefined ? [] : ['--config', flags.config]), ...definitions];
  const children: ChildProcess[] = [];
  const start = (command: string, words: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [OWN, command, ...common, ...words], { stdio: ['ignore', 'inherit', 'pipe'] });
    children.push(child);
    return child;
  };
  let stopping = false;
  const stop = (): void => {
    // Asked twice, somebody does not want to wait.
    for (const child of children) child.kill(stopping ? 'SIGKILL' : 'SIGTERM');
    stopping = true;
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const jobManager = start('jobmanager', ['-D', 'env.log.format=json']);
  const { rpc, rest } = await startedLine(jobManager);
  const port = String(rpc).split(':').at(-1) as string;
  process.stderr.write(`JobManager at ${String(rest)}\n`);
  for (let i = 0; i < taskManagers && !stopping; i++) {
    const slots = flags.slots === undefined ? [] : ['-D', `taskmanager.numberOfTaskSlots=${flags.slots}`];
    start('taskmanager', ['-D', `jobmanager.rpc.port=${port}`, ...slots]).stderr?.pipe(process.stderr);
  }
  await Promise.all(
    children.map(async (child) => {
      const code = await ended(child);
      if (child === jobManager && !stopping) {
        stop();
        throw new MillstreamError('CONNECTION_LOST', `The JobManager ended unexpectedly with exit code ${code}. Its log is above.`);
      }
    }),
  );
}

/** Passes the log on, and resolves with the line that says where the JobManager is. */
async function startedLine(child: ChildProcess): Promise<Readonly<Record<string, unknown>>> {
  return await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new MillstreamError('CONNECTION_FAILED', `The JobManager ended at once with exit code ${code}.`)));
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      process.stderr.write(`${line}\n`);
      if (!line.includes('"JobManager started"')) return;
      resolve(JSON.parse(line) as Record<string, unknown>);
    });
  });
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  return await new Promise((resolve) => child.once('exit', resolve));
}
