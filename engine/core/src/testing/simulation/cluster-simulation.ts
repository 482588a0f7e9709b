/**
 * A whole cluster in one thread, on virtual time: JobManagers with standbys, TaskManagers with slots, their network and their disk, and
 * faults. One seed says everything that happens; the same seed gives the same trace, in any process.
 *
 *     start ─▶ submit ─▶ faults … ─▶ the job has ended ─▶ faults end ─▶ processes end ─▶ what must hold is checked
 *
 * What runs is the cluster's own code. Exchanged are only the machine's clock, chance, disk and network, and what starts a thread, hands
 * messages to it and lets it sleep.
 */
import type { JobDefinition } from '../../api/define-job.js';
import { seededRandom } from '../../common/random.js';
import { PENDING_SUFFIX } from '../../connector/file-sink-committer.js';
import { runVirtualTime } from '../virtual-network.js';
import { type ClusterFaultPlan, drawFaultPlan } from './cluster-fault.js';
import { FaultSchedule } from './fault-schedule.js';
import { SimulatedClient } from './simulated-client.js';
import { HIGH_AVAILABILITY_DIRECTORY, SimulatedCluster } from './simulated-cluster.js';
import { SimulatedWorld } from './simulated-world.js';
import { compareOutput, type OutputDifference, type SimulationReport } from './simulation-report.js';

/** What a {@link ClusterSimulation} runs. */
export interface ClusterSimulationOptions {
  /** Says everything that happens. */
  readonly seed: number;
  /** Its sinks write to `resultsDirectory`; its results must not depend on the order of records from different sources. */
  readonly job: JobDefinition;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Options that override the job's. Checkpoints every 500 ms and restarts without limit are set unless they are given. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The lines that must be in `resultsDirectory` at the end, in any order. */
  readonly expected: readonly string[];
  /** Default: '/results'. */
  readonly resultsDirectory?: string;
  /** Default: 2, so that one can take over. */
  readonly jobManagers?: number;
  /** Default: 3. */
  readonly taskManagers?: number;
  /** Default: 2. */
  readonly slotsPerTaskManager?: number;
  /** Default: drawn from the seed. */
  readonly faults?: ClusterFaultPlan;
  /** Drawn faults begin within this time, ms. Default: 10,000. */
  readonly faultsUntilMs?: number;
  /** The job must have ended within this (virtual) time, ms. Default: 300,000. */
  readonly timeLimitMs?: number;
  /** Every milestone goes to standard error as it happens. Default: false. */
  readonly print?: boolean;
}

const DEFAULT_OPTIONS: Readonly<Record<string, unknown>> = {
  'execution.checkpointing.interval': 500,
  'execution.checkpointing.timeout': 10_000,
  'execution.checkpointing.dir': '/checkpoints',
  'restart-strategy.type': 'exponential-delay',
  'restart-strategy.exponential-delay.initial-backoff': 100,
  'restart-strategy.exponential-delay.max-backoff': 1_000,
};
/** Time for messages that are still on their way, ms. */
const CALM_MS = 5_000;
const STOP_LIMIT_MS = 60_000;

/** See the head of this file. One instance runs once. */
export class ClusterSimulation {
  private readonly options: ClusterSimulationOptions;
  private readonly world: SimulatedWorld;
  private readonly cluster: SimulatedCluster;
  private readonly client: SimulatedClient;
  private readonly faults: FaultSchedule;
  private readonly violations: string[] = [];

  constructor(options: ClusterSimulationOptions) {
    const { seed, job, jobManagers = 2, taskManagers = 3, slotsPerTaskManager = 2, print = false } = options;
    this.options = options;
    this.world = new SimulatedWorld({ seed, resultsDirectory: this.resultsDirectory, print });
    this.cluster = new SimulatedCluster({
      world: this.world,
      job,
      jobManagers,
      taskManagers,
      slotsPerTaskManager,
      onJobEnded: (ended) => {
        const { state, exceptions } = ended.facts;
        if (state !== 'FINISHED') this.violations.push(`the job ended as ${state}: ${exceptions.latest?.stacktrace.split('\n', 1)[0]}`);
      },
    });
    const hosts = { jobManagers: this.cluster.jobManagerHosts, taskManagers: this.cluster.taskManagerHosts };
    const plan = options.faults ?? drawFaultPlan(seed, hosts, options.faultsUntilMs ?? 10_000);
    for (const [host, skew] of Object.entries(plan.skews)) this.world.skew(host, skew);
    const argv = ['simulation', ...Object.entries(options.parameters ?? {}).flatMap(([name, value]) => [`--${name}`, value])];
    this.client = new SimulatedClient(this.world, this.cluster, HIGH_AVAILABILITY_DIRECTORY, {
      argv,
      options: { ...DEFAULT_OPTIONS, 'parallelism.default': taskManagers * slotsPerTaskManager - 1, ...options.options },
    });
    const surroundings = { world: this.world, cluster: this.cluster, random: seededRandom(this.world.random.uint32()) };
    this.faults = new FaultSchedule(surroundings, plan.faults);
  }

  /** Runs to the end. Does not throw: what was violated is in the report. */
  async run(): Promise<SimulationReport> {
    const unhandled = (error: unknown): void => {
      this.violations.push(`a promise was rejected, and nobody heard: ${error instanceof Error ? error.stack : String(error)}`);
    };
    process.on('unhandledRejection', unhandled);
    try {
      await this.runJob();
      await this.endProcesses();
    } catch (error) {
      // In a process of its own it would have ended that.
      this.violations.push(`an event threw ${error instanceof Error ? error.stack : String(error)}`);
    } finally {
      process.off('unhandledRejection', unhandled);
    }
    return this.report();
  }

  private get resultsDirectory(): string {
    return this.options.resultsDirectory ?? '/results';
  }

  private async runJob(): Promise<void> {
    const { timeLimitMs = 300_000 } = this.options;
    await this.cluster.start();
    this.client.start();
    await this.advance(timeLimitMs, () => this.client.isDone || this.violations.length > 0);
    if (!this.client.isDone) this.violations.push(`the job has not ended within ${this.world.elapsedMs.toFixed(0)} ms`);
  }

  private async endProcesses(): Promise<void> {
    const { world, cluster } = this;
    this.faults.endAll();
    world.network.heal();
    await this.advance(CALM_MS, () => false);
    let hasStopped = false;
    const stopping = cluster.stop().then(() => {
      hasStopped = true;
    });
    await this.advance(STOP_LIMIT_MS, () => hasStopped);
    if (!hasStopped) {
      this.violations.push(`the processes have not ended within ${STOP_LIMIT_MS} ms`);
      return;
    }
    await stopping;
    if (world.pendingCalls > 0) this.violations.push(`${world.pendingCalls} timers are left after the end of all processes`);
    await this.advance(STOP_LIMIT_MS, () => world.network.openEnds === 0);
    if (world.network.openEnds > 0)
      this.violations.push(`${world.network.openEnds} ends of connections are open after the end of all processes`);
  }

  /** Lets virtual time pass, event by event. */
  private async advance(ms: number, until: () => boolean): Promise<void> {
    const { clock } = this.world;
    await runVirtualTime(clock, clock.now() + ms, () => {
      this.world.poll();
      return until();
    });
  }

  private report(): SimulationReport {
    const { world, faults, cluster } = this;
    const found: string[] = [];
    let leftovers = 0;
    for (const [name, content] of world.disk.files(this.resultsDirectory)) {
      if (name.endsWith(PENDING_SUFFIX)) leftovers++;
      else found.push(...content.split('\n').filter((line) => line !== ''));
    }
    const difference: OutputDifference = compareOutput(this.options.expected, found);
    const violations = [...this.violations, ...world.records.violations, ...difference.violations];
    return {
      seed: this.options.seed,
      violations,
      faults: faults.report,
      virtualMs: world.elapsedMs,
      events: [...world.trace.counts.values()].reduce((sum, count) => sum + count, 0),
      counts: world.trace.counts,
      hash: world.trace.hash,
      completedCheckpoints: world.records.completedCheckpoints,
      attempts: world.records.attempts,
      regionRestarts: world.records.regionRestarts,
      leaders: world.trace.count('leader granted'),
      staleMessages: cluster.staleMessages,
      pendingParts: leftovers,
      lastEvents: world.trace.tail(),
    };
  }
}
