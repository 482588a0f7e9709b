/**
 * `millstream cluster start`: a whole cluster on this machine, as processes of their own.
 *
 *     start ─▶ JobManager ─listens─▶ TaskManagers … ─signal─▶ JobManager ends ─▶ TaskManagers end
 *
 * Invariants: 1. the JobManager ends first: its jobs' last checkpoints need the TaskManagers; 2. a signal to all processes of a terminal is
 * this process's alone, since each child leads a group of its own; 3. children end when this process is gone, however it ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { MillstreamError } from 'millstream';
import { clientOptions } from './client-configuration.js';
import { USAGE_EXIT_CODE } from './exit-codes.js';
import { onInterrupt } from './interrupts.js';
import type { StartedProcess } from './process-commands.js';
import { WrongUsage } from './report-error.js';

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
  const cluster = new LocalCluster(flags, taskManagers);
  process.on('SIGTERM', () => cluster.stop());
  onInterrupt(
    () => cluster.stop(),
    () => cluster.kill(),
  );
  await cluster.run();
}

class LocalCluster {
  private isStopping = false;
  private readonly flags: LocalClusterFlags;
  private readonly taskManagers: number;
  private readonly children: ChildProcess[] = [];
  /** Why it ends without having been asked to. */
  private failure: Error | undefined;

  constructor(flags: LocalClusterFlags, taskManagers: number) {
    this.flags = flags;
    this.taskManagers = taskManagers;
  }

  async run(): Promise<void> {
    const jobManager = this.start('jobmanager', []);
    const started = await Promise.race([listens(jobManager), ended(jobManager)]);
    if (typeof started === 'object' && started !== null && !this.isStopping) {
      process.stderr.write(`JobManager at ${started.rest}\n`);
      this.startTaskManagers(started.port);
    }
    const code = await ended(jobManager);
    if (!this.isStopping && code !== 0) this.failure = endedAlone('JobManager', code);
    this.isStopping = true;
    const [, ...taskManagers] = this.children;
    for (const child of taskManagers) child.kill('SIGTERM');
    await Promise.all(taskManagers.map(ended));
    if (this.failure !== undefined) throw this.failure;
  }

  /** The TaskManagers follow when the JobManager has ended. */
  stop(): void {
    this.isStopping = true;
    this.children[0]?.kill('SIGTERM');
  }

  kill(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }

  private startTaskManagers(port: number): void {
    const { slots } = this.flags;
    const words = ['-D', `jobmanager.rpc.port=${port}`, ...(slots === undefined ? [] : ['-D', `taskmanager.numberOfTaskSlots=${slots}`])];
    for (let i = 0; i < this.taskManagers; i++) {
      const child = this.start('taskmanager', words);
      void ended(child).then((code) => {
        // Another one of the same configuration would not start either. One that was lost later is missed by the jobs alone.
        if (this.isStopping || code !== USAGE_EXIT_CODE) return;
        this.failure = endedAlone('TaskManager', code);
        this.stop();
      });
    }
  }

  private start(command: 'jobmanager' | 'taskmanager', words: readonly string[]): ChildProcess {
    const { config, define = {} } = this.flags;
    const definitions = Object.entries(define).flatMap(([key, value]) => ['-D', `${key}=${value}`]);
    const common = [...(config === undefined ? [] : ['--config', config]), ...definitions];
    const child = spawn(process.execPath, [OWN, command, ...common, ...words], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      detached: true,
    });
    this.children.push(child);
    return child;
  }
}

/** Resolves with where the JobManager is, once it is there. */
async function listens(jobManager: ChildProcess): Promise<StartedProcess> {
  return await new Promise((resolve) => jobManager.once('message', (message) => resolve(message as StartedProcess)));
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  return await new Promise((resolve) => child.once('exit', resolve));
}

function endedAlone(what: string, code: number | null): Error {
  if (code === USAGE_EXIT_CODE) return new WrongUsage(`Cannot start the cluster as it is configured: its ${what} has said why above.`);
  return new MillstreamError('CONNECTION_LOST', `The ${what} ended unexpectedly with exit code ${code}. Its log is above.`);
}
