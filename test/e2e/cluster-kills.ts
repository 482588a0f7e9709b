/**
 * Kills processes of a cluster under a running job, one after another: TaskManagers and the leading JobManager, each at a step of a
 * checkpoint, while records flow. What was killed is started again before the next kill.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterClient, systemClock } from 'millstream/cluster';
import { ClusterProcess, millstream, pause } from './cluster-harness.js';
import {
  atStep,
  firstOutputs,
  type JobPlaces,
  lastSigns,
  lastStep,
  type Phase,
  readerTraces,
  replayedRecords,
} from './cluster-kill-evidence.js';

export type Victim = 'TaskManager' | 'JobManager';

/** One kill, as it went. Times in ms. */
export interface Kill {
  readonly victim: Victim;
  /** The step that it was meant for. */
  readonly planned: Phase;
  /** The step that the disk says was the last before it. */
  readonly phase: Phase;
  readonly msSinceTrigger: number;
  readonly msSinceRecords: number;
  readonly recordsReplayed: number;
  /** Until the leader's log names the loss; of a leader: until another one leads. */
  readonly msToDetection: number;
  readonly msFromDetectionToOutput: number;
  /** TaskManagers that were not killed and are not the processes that they were. */
  readonly othersLost: number;
}

const PARALLELISM = 2;
/** A kill needs a checkpoint that was triggered, and records that were read, within this time. */
const FRESH_MS = 1000;

export interface CampaignOptions {
  readonly records: number;
  readonly recordsPerSecond: number;
}

export class KillCampaign {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'millstream-kills-'));
  private readonly options: CampaignOptions;
  private jobManagers: ClusterProcess[] = [];
  private taskManagers: ClusterProcess[] = [];
  private id = '';
  private job = '';

  constructor(options: CampaignOptions) {
    this.options = options;
  }

  get results(): string {
    return join(this.directory, 'results');
  }

  private get places(): JobPlaces {
    return { job: this.job, results: this.results, traces: join(this.directory, 'traces') };
  }

  private get processOptions(): Record<string, string | number> {
    return {
      'high-availability.type': 'file',
      'high-availability.storageDir': join(this.directory, 'ha'),
      'high-availability.leader-election.lease-duration': '2 s',
      'high-availability.leader-election.retry-period': '200 ms',
    };
  }

  async start(): Promise<void> {
    for (let count = 0; count < 2; count++) await this.startJobManager();
    await Promise.all(Array.from({ length: PARALLELISM + 1 }, () => this.startTaskManager()));
    const checkpoints = join(this.directory, 'checkpoints');
    const program = new URL('../jobs/killed-counts.ts', import.meta.url).pathname;
    const options = {
      'parallelism.default': PARALLELISM,
      'execution.checkpointing.interval': '400 ms',
      'execution.checkpointing.dir': checkpoints,
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 1_000_000,
      'restart-strategy.fixed-delay.delay': '50 ms',
    };
    const definitions = Object.entries(options).flatMap(([key, value]) => ['-D', `${key}=${value}`]);
    const parameters = {
      records: this.options.records,
      rate: this.options.recordsPerSecond,
      results: this.results,
      traces: this.places.traces,
      until: this.until,
    };
    const own = Object.entries(parameters).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const addresses = this.jobManagers.map((each) => each.restAddress).join(',');
    const printed = await millstream('run', '--jobmanager', addresses, '--detached', '--json', ...definitions, program, '--', ...own);
    this.id = (JSON.parse(printed) as { job: string }).job;
    while (!existsSync(checkpoints) || readdirSync(checkpoints).length === 0) await pause();
    this.job = join(checkpoints, readdirSync(checkpoints)[0] as string);
  }

  private get until(): string {
    return join(this.directory, 'go on');
  }

  private async startJobManager(): Promise<void> {
    const process = new ClusterProcess('jobmanager', { 'jobmanager.rpc.port': 0, 'rest.port': 0, ...this.processOptions });
    this.jobManagers.push(process);
    await process.logged('JobManager started');
  }

  private async startTaskManager(): Promise<void> {
    const process = new ClusterProcess('taskmanager', this.processOptions);
    this.taskManagers.push(process);
    await process.logged('registered with the JobManager');
  }

  /** Kills one process at a step of a checkpoint; resolves when records flow again and the cluster is whole. */
  async kill(victim: Victim, planned: Phase): Promise<Kill> {
    await this.completedCheckpoint();
    const outputs = firstOutputs(this.places).length;
    const opened = readerTraces(this.places).length;
    let process = victim === 'TaskManager' ? await this.workingTaskManager() : await this.leader();
    let killedAt = 0;
    let signs = lastSigns(this.places);
    await atStep(planned, this.places, () => {
      signs = lastSigns(this.places);
      killedAt = systemClock.now();
      // On a machine that stands still for seconds another may have taken over meanwhile.
      if (victim === 'JobManager') process = this.jobManagers.find((each) => !each.hasExited && each.isLeading) ?? process;
      if (killedAt - signs.triggeredAt >= FRESH_MS || killedAt - signs.emittedAt >= FRESH_MS) return false;
      process.child.kill('SIGKILL');
      killedAt = systemClock.now();
      return true;
    });
    const phase = lastStep(this.places, killedAt);
    await process.exited;
    const detectedAt = await this.detection(victim, process, killedAt);
    while (firstOutputs(this.places).length < outputs + 1 || readerTraces(this.places).length < opened + PARALLELISM) await this.going();
    const readers = readerTraces(this.places);
    const taskManagers = this.taskManagers.filter((each) => each !== process);
    const kill: Kill = {
      victim,
      planned,
      phase,
      msSinceTrigger: Math.round(killedAt - signs.triggeredAt),
      msSinceRecords: Math.round(killedAt - signs.emittedAt),
      recordsReplayed: replayedRecords(readers.slice(opened - PARALLELISM, opened), readers.slice(opened)),
      msToDetection: detectedAt - killedAt,
      msFromDetectionToOutput: (firstOutputs(this.places)[outputs] as number) - detectedAt,
      othersLost: taskManagers.filter(({ hasExited }) => hasExited).length,
    };
    this.taskManagers = taskManagers;
    this.jobManagers = this.jobManagers.filter((each) => each !== process);
    await (victim === 'TaskManager' ? this.startTaskManager() : this.startJobManager());
    return kill;
  }

  /** Until a new one is complete: what is restored then lies behind the last kill. */
  private async completedCheckpoint(): Promise<void> {
    const newest = (): number => Math.max(0, ...readdirSync(this.job).map((name) => Number(/^chk-(\d+)$/.exec(name)?.[1] ?? 0)));
    const before = newest();
    while (newest() <= before) await this.going();
  }

  /** A moment; throws if the job cannot be waited for any longer. */
  private async going(): Promise<void> {
    if ([...this.taskManagers, ...this.jobManagers].every(({ hasExited }) => hasExited)) throw new Error('All processes have ended.');
    if (!existsSync(this.job)) throw new Error('The job has ended before all kills: it has too few records.');
    await pause();
  }

  private async leader(): Promise<ClusterProcess> {
    for (;;) {
      const leading = this.jobManagers.find((each) => !each.hasExited && each.isLeading);
      if (leading !== undefined) return leading;
      await pause();
    }
  }

  /** One that runs a share of the job. */
  private async workingTaskManager(): Promise<ClusterProcess> {
    const client = this.client();
    for (;;) {
      const { vertices } = await client.job(this.id);
      const { taskmanagers } = await client.vertexTaskManagers({ jobId: this.id, vertexId: vertices[0]?.id as string });
      const ids = taskmanagers.map((each) => each['taskmanager-id']);
      const working = this.taskManagers.find((each) => !each.hasExited && ids.some((id) => id?.endsWith(`-${each.child.pid}`)));
      if (working !== undefined) return working;
      await pause();
    }
  }

  private client(): ClusterClient {
    return new ClusterClient({ addresses: this.jobManagers.filter((each) => !each.hasExited).map((each) => each.restAddress) });
  }

  /** When the loss was noticed, by the log of who noticed it; ms since 1970. */
  private async detection(victim: Victim, { child }: ClusterProcess, since: number): Promise<number> {
    for (;;) {
      for (const { log, child: other } of this.jobManagers) {
        if (other === child) continue;
        const line = log.find(
          ({ msg, id, time }) =>
            Date.parse(String(time)) >= since &&
            (msg === 'leading' ||
              (victim === 'TaskManager' && msg?.startsWith('TaskManager lost') && String(id).endsWith(`-${child.pid}`))),
        );
        if (line !== undefined) return Date.parse(String(line.time));
      }
      await this.going();
    }
  }

  /** Lets the job read the rest at once; resolves with its last state. */
  async finish(): Promise<string> {
    writeFileSync(this.until, '');
    const client = this.client();
    for (;;) {
      const state = await client.jobStatus(this.id);
      if (state === 'FINISHED' || state === 'FAILED' || state === 'CANCELED') return state;
      await pause();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.taskManagers, ...this.jobManagers].map((each) => each.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}
