/** A cluster of real processes on this machine, for end-to-end tests. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClusterClient, type ClusterClientOptions, systemClock } from 'millstream/cluster';

/** Beside the package's code, wherever this file was compiled to. */
const COMMAND = join(dirname(createRequire(import.meta.url).resolve('@millstream/cli')), '../bin/millstream.js');

type Line = { readonly msg?: string; readonly [field: string]: unknown };

const ENDED_STATES: ReadonlySet<string> = new Set(['FINISHED', 'FAILED', 'CANCELED']);
/** Longer than a process takes that leaves what it cannot close. */
const STOP_TIMEOUT_MS = 60_000;

/** Between two questions to a cluster. */
export async function pause(): Promise<void> {
  await new Promise<void>((resolve) => systemClock.schedule(20, resolve));
}

/** One process, and what it has logged. Its temporary files go with it, however it ends. */
export class ClusterProcess {
  readonly log: Line[] = [];
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  private readonly waiting = new Set<() => void>();

  constructor(command: 'jobmanager' | 'taskmanager', options: Readonly<Record<string, string | number>>) {
    const definitions = Object.entries(options).flatMap(([key, value]) => ['-D', `${key}=${value}`]);
    const temporary = mkdtempSync(join(tmpdir(), 'millstream-process-'));
    const env = { ...process.env, TMPDIR: temporary };
    this.child = spawn(process.execPath, [COMMAND, command, ...definitions], { stdio: ['ignore', 'inherit', 'pipe'], env });
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code) => {
        rmSync(temporary, { recursive: true, force: true });
        resolve(code);
      });
    });
    let rest = '';
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) this.log.push(line.startsWith('{') ? (JSON.parse(line) as Line) : { msg: line });
      for (const look of this.waiting) look();
    });
  }

  /** Resolves with the first line, logged or to come, that has this text in its message. */
  async logged(text: string): Promise<Line> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const line = this.log.find(({ msg }) => msg?.includes(text));
        if (line === undefined) return;
        this.waiting.delete(look);
        resolve(line);
      };
      this.waiting.add(look);
      void this.exited.then((code) => reject(new Error(`ended with ${code} before "${text}": ${JSON.stringify(this.log)}`)));
      look();
    });
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Of a JobManager, by its log. */
  get isLeading(): boolean {
    return this.log.findLast(({ msg }) => msg === 'leading' || msg === 'leading no more')?.msg === 'leading';
  }

  /** Of a JobManager that has started. */
  get restAddress(): string {
    return String(this.log.find(({ msg }) => msg === 'JobManager started')?.rest);
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Resolves with its exit code; null: it was killed, since it did not end. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    const timer = systemClock.schedule(STOP_TIMEOUT_MS, () => this.child.kill('SIGKILL'));
    const code = await this.exited;
    timer.cancel();
    return code;
  }
}

/** Runs `millstream <words>`; resolves with what it printed, rejects with its errors. */
export async function millstream(...words: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(process.execPath, [COMMAND, ...words], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`millstream ${words.join(' ')}: ${stderr}`));
    });
  });
}

export class ClusterHarness {
  readonly directory: string;
  readonly taskManagers: ClusterProcess[] = [];
  readonly standbys: ClusterProcess[] = [];
  /** There once `start` has begun. */
  jobManager!: ClusterProcess;
  client!: ClusterClient;
  restAddress = '';
  private rpcPort = 0;

  private readonly access: Pick<ClusterClientOptions, 'tls' | 'token'>;

  /** `access`: of `client`; the command has its own from the environment. */
  constructor(access: Pick<ClusterClientOptions, 'tls' | 'token'> = {}) {
    this.access = access;
    this.directory = mkdtempSync(join(tmpdir(), 'millstream-cluster-'));
  }

  async start(taskManagers: number, options: Readonly<Record<string, string | number>> = {}): Promise<void> {
    this.jobManager = new ClusterProcess('jobmanager', { 'jobmanager.rpc.port': 0, 'rest.port': 0, ...options });
    const started = await this.jobManager.logged('JobManager started');
    this.rpcPort = Number(String(started.rpc).split(':').at(-1));
    this.restAddress = String(started.rest);
    this.client = new ClusterClient({ addresses: [this.restAddress], ...this.access });
    await Promise.all(Array.from({ length: taskManagers }, async () => await this.addTaskManager(options)));
  }

  async addTaskManager(options: Readonly<Record<string, string | number>> = {}): Promise<ClusterProcess> {
    const taskManager = new ClusterProcess('taskmanager', { 'jobmanager.rpc.port': this.rpcPort, ...options });
    this.taskManagers.push(taskManager);
    await taskManager.logged('registered with the JobManager');
    return taskManager;
  }

  /** A standby, where the cluster has high availability. */
  async addJobManager(options: Readonly<Record<string, string | number>>): Promise<ClusterProcess> {
    const standby = new ClusterProcess('jobmanager', { 'jobmanager.rpc.port': 0, 'rest.port': 0, ...options });
    this.standbys.push(standby);
    const started = await standby.logged('JobManager started');
    this.restAddress = `${this.restAddress},${String(started.rest)}`;
    this.client = new ClusterClient({ addresses: this.restAddress.split(','), ...this.access });
    return standby;
  }

  /** Runs `millstream <words>` against this cluster; resolves with what it printed, rejects with its errors. */
  async millstream(...words: readonly string[]): Promise<string> {
    const [command = '', ...rest] = words;
    return await millstream(command, '--jobmanager', this.restAddress, ...rest);
  }

  /** Starts a job of test/jobs and returns its id. */
  async run(job: string, definitions: Readonly<Record<string, string | number>>, ...args: readonly string[]): Promise<string> {
    return await this.submit(fileURLToPath(new URL(`../jobs/${job}.ts`, import.meta.url)), definitions, ...args);
  }

  /** Starts the job of a program's file and returns its id. */
  async submit(program: string, definitions: Readonly<Record<string, string | number>>, ...args: readonly string[]): Promise<string> {
    const options = Object.entries(definitions).flatMap(([key, value]) => ['-D', `${key}=${value}`]);
    const flags = args.slice(0, args.indexOf('--') < 0 ? args.length : args.indexOf('--'));
    const own = args.slice(flags.length);
    const printed = await this.millstream('run', '--detached', '--json', ...options, ...flags, program, ...own);
    return (JSON.parse(printed) as { job: string }).job;
  }

  /** Until the job has ended; resolves with its state. */
  async ended(id: string): Promise<string> {
    for (;;) {
      const state = await this.client.jobStatus(id);
      if (ENDED_STATES.has(state)) return state;
      await pause();
    }
  }

  /** Until the job runs. Rejects if it has ended. */
  async running(id: string): Promise<void> {
    await this.untilJob(id, 'before it ran', async () => (await this.client.jobStatus(id)) === 'RUNNING');
  }

  /** Until so many of the job's checkpoints are complete, as its leader counts them. Rejects if it has ended before. */
  async completedCheckpoints(id: string, count: number): Promise<void> {
    await this.untilJob(
      id,
      `before it had ${count} checkpoints`,
      async () => (await this.client.checkpoints(id)).counts.completed >= count,
    );
  }

  private async untilJob(id: string, before: string, isSo: () => Promise<boolean>): Promise<void> {
    // A new leader does not know its jobs at once.
    while (!(await isSo().catch(() => false))) {
      const state = await this.client.jobStatus(id).catch(() => '');
      if (ENDED_STATES.has(state) && !(await isSo().catch(() => false))) throw new Error(`The job has ended as ${state} ${before}.`);
      await pause();
    }
  }

  /** One that runs a share of the job. Throws if there is none. */
  async workingTaskManager(id: string): Promise<ClusterProcess> {
    const { vertices } = await this.client.job(id);
    const { taskmanagers } = await this.client.vertexTaskManagers({ jobId: id, vertexId: vertices[0]?.id as string });
    return this.taskManager(taskmanagers.map((each) => each['taskmanager-id']).find((each) => each !== 'unassigned'));
  }

  /** The one with this id. Throws if it does not live. */
  taskManager(id: string | undefined): ClusterProcess {
    const found = this.taskManagers.find(({ log, hasExited }) => !hasExited && log.some((line) => line.id === id));
    if (id === undefined || found === undefined) throw new Error(`There is no TaskManager '${id}' in this cluster.`);
    return found;
  }

  async stop(): Promise<void> {
    const processes: readonly (ClusterProcess | undefined)[] = [...this.taskManagers, ...this.standbys, this.jobManager];
    await Promise.all(processes.flatMap((each) => (each === undefined ? [] : [each.stop()])));
    rmSync(this.directory, { recursive: true, force: true });
  }
}
