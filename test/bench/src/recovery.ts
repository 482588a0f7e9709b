/**
 * `bench recovery`: a TaskManager with heap state is killed; `bench failover`: the leading JobManager is. How long until somebody has noticed,
 * and until the first output after that. Real processes on this machine, with the default options of clusters.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from 'millstream/cluster';
import { ClusterHarness, type ClusterProcess, pause } from '../../e2e/cluster-harness.js';
import { firstOutputs, type JobPlaces, readerTraces } from '../../e2e/cluster-kill-evidence.js';

const PROGRAM = fileURLToPath(new URL('./recovery-job.js', import.meta.url));
/** Of a row of the program's state. */
const ROW_BYTES = 96;

export interface RecoveryOptions {
  readonly stateMb: number;
  readonly parallelism: number;
  readonly recordsPerSecond: number;
  readonly checkpointMs: number;
}

/** Times in ms, from the kill on. */
export interface Recovery {
  readonly victim: 'TaskManager' | 'JobManager';
  readonly stateMb: number;
  readonly parallelism: number;
  readonly keys: number;
  /** In the state files that the checkpoint needs. */
  readonly restoredBytes: number;
  readonly detectionMs: number;
  /** From the detection on: the source's first new reader, and the first output. */
  readonly readerMs: number;
  readonly outputMs: number;
  /** TaskManagers that were not killed and still run as the same process. */
  readonly survivors: number;
}

class RecoveryRun {
  readonly harness: ClusterHarness = new ClusterHarness();
  private readonly options: RecoveryOptions;
  private readonly isFailover: boolean;
  private readonly keys: number;
  private id = '';

  constructor(options: RecoveryOptions, isFailover: boolean) {
    this.options = options;
    this.isFailover = isFailover;
    this.keys = Math.max(1000, Math.round((options.stateMb * 1_000_000) / ROW_BYTES));
  }

  private get places(): JobPlaces {
    const checkpoints = join(this.harness.directory, 'checkpoints');
    const [name = ''] = readdirSync(checkpoints);
    return { job: join(checkpoints, name), results: '', traces: join(this.harness.directory, 'traces') };
  }

  private get clusterOptions(): Record<string, string> {
    if (!this.isFailover) return {};
    return { 'high-availability.type': 'file', 'high-availability.storageDir': join(this.harness.directory, 'ha') };
  }

  /** A cluster with a TaskManager to spare, and a checkpoint of all keys. */
  async start(): Promise<void> {
    const { harness, options } = this;
    await harness.start(options.parallelism + 1, this.clusterOptions);
    if (this.isFailover) await harness.addJobManager(this.clusterOptions);
    const definitions = {
      'parallelism.default': options.parallelism,
      'execution.checkpointing.interval': options.checkpointMs,
      'execution.checkpointing.dir': join(harness.directory, 'checkpoints'),
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 100,
      'restart-strategy.fixed-delay.delay': '50 ms',
    };
    const parameters = ['--keys', `${this.keys}`, '--rate', `${options.recordsPerSecond}`, '--traces', join(harness.directory, 'traces')];
    this.id = await harness.submit(PROGRAM, definitions, '--', ...parameters);
    const isFilled = (): boolean => {
      const splits = readerTraces(this.places).flatMap((reader) => Object.values(reader.splits));
      return splits.length >= options.parallelism && splits.every(({ next }) => next >= this.keys);
    };
    while (!isFilled()) await pause();
    // The one in progress may have begun before.
    const completed = (await harness.client.checkpoints(this.id)).counts.completed;
    while ((await harness.client.checkpoints(this.id)).counts.completed < completed + 2) await pause();
  }

  async measure(): Promise<Recovery> {
    const { harness, options } = this;
    const victim = this.isFailover ? harness.jobManager : await harness.workingTaskManager(this.id);
    const outputs = firstOutputs(this.places).length;
    const readers = readerTraces(this.places).length;
    const killedAt = systemClock.now();
    victim.child.kill('SIGKILL');
    const detectedAt = await this.detection(victim, killedAt);
    while (firstOutputs(this.places).length === outputs) await pause();
    while (readerTraces(this.places).length === readers) await pause();
    const survivors = harness.taskManagers.filter((each) => each !== victim && !each.hasExited).length;
    return {
      victim: this.isFailover ? 'JobManager' : 'TaskManager',
      stateMb: options.stateMb,
      parallelism: options.parallelism,
      keys: this.keys,
      restoredBytes: this.stateBytes(),
      detectionMs: detectedAt - killedAt,
      readerMs: (readerTraces(this.places)[readers]?.openedAt ?? Number.NaN) - detectedAt,
      outputMs: (firstOutputs(this.places)[outputs] as number) - detectedAt,
      survivors,
    };
  }

  private stateBytes(): number {
    const shared = join(this.places.job, 'shared');
    let bytes = 0;
    for (const name of readdirSync(shared)) bytes += statSync(join(shared, name), { throwIfNoEntry: false })?.size ?? 0;
    return bytes;
  }

  /** Ms since 1970, by the log of the JobManager that noticed it. */
  private async detection({ child }: ClusterProcess, since: number): Promise<number> {
    const { jobManager, standbys } = this.harness;
    for (;;) {
      for (const { log } of [jobManager, ...standbys]) {
        const line = log.find(({ msg, id, time }) => {
          if (Date.parse(String(time)) < since) return false;
          return this.isFailover ? msg === 'leading' : msg?.startsWith('TaskManager lost') && String(id).endsWith(`-${child.pid}`);
        });
        if (line !== undefined) return Date.parse(String(line.time));
      }
      await pause();
    }
  }
}

export async function measureRecovery(options: RecoveryOptions, victim: Recovery['victim']): Promise<Recovery> {
  const run = new RecoveryRun(options, victim === 'JobManager');
  try {
    await run.start();
    return await run.measure();
  } finally {
    await run.harness.stop();
  }
}

export function describeRecovery(recovery: Recovery): string {
  const { victim, parallelism, keys, restoredBytes, detectionMs, readerMs, outputMs, survivors } = recovery;
  const state = `${keys} keys, ${(restoredBytes / 1e6).toFixed(0)} MB of state files, parallelism ${parallelism}`;
  return (
    `${victim} killed (${state}): noticed after ${detectionMs} ms; from then source opened ${readerMs} ms, first output ${outputMs} ms ` +
    `(in all ${detectionMs + outputMs} ms); ${survivors} TaskManagers went on as the same process`
  );
}
