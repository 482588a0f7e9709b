/**
 * A cluster of simulated processes: JobManagers that stand for election, TaskManagers that look for the leader. What runs in them is the
 * cluster's own code; here is only what a process of the command line would put around it.
 */
import type { JobDefinition } from '../../api/define-job.js';
import { FileSystems } from '../../checkpoint/file-systems.js';
import { JobManager } from '../../cluster/job-manager.js';
import type { JobMaster } from '../../cluster/job-master.js';
import { type HighAvailabilityStorage, Leadership, leaderFinder } from '../../cluster/leadership.js';
import { RelayingExchange } from '../../cluster/relaying-exchange.js';
import { TaskManager } from '../../cluster/task-manager.js';
import { seededRandom } from '../../common/random.js';
import type { Connection, ConnectionListener } from '../../common/transport.js';
import type { SimulatedProcess } from './simulated-process.js';
import { SimulatedPrograms } from './simulated-programs.js';
import { slotStarter } from './simulated-slot.js';
import type { SimulatedWorld } from './simulated-world.js';
import { WokenLoop } from './woken-loop.js';

const CONTROL_PORT = 6123;
/** Where leases and the list of jobs are. */
export const HIGH_AVAILABILITY_DIRECTORY = '/high-availability';
/** Times that make a failover short, as a cluster for tests would be configured. */
const LEASE = { durationMs: 3_000, intervalMs: 700 };
const HEARTBEAT = { intervalMs: 500, timeoutMs: 2_500 };
/** Small, so that channels are full now and then. */
const RING = { slots: 4, slotBytes: 2048 };
const SLOT_REQUEST_TIMEOUT_MS = 60_000;

/** What a {@link SimulatedCluster} consists of. */
export interface SimulatedClusterOptions {
  readonly world: SimulatedWorld;
  readonly job: JobDefinition;
  readonly jobManagers: number;
  readonly taskManagers: number;
  readonly slotsPerTaskManager: number;
  /** A job has ended, on whichever JobManager; not told of one that another leader goes on with. */
  readonly onJobEnded: (job: JobMaster) => void;
}

interface RunningJobManager {
  readonly process: SimulatedProcess;
  readonly leadership: Leadership;
  stop(): Promise<void>;
}

interface RunningTaskManager {
  readonly process: SimulatedProcess;
  readonly taskManager: TaskManager;
  stop(): Promise<void>;
}

/** See the head of this file. */
export class SimulatedCluster {
  /** Hosts' names. */
  readonly jobManagerHosts: readonly string[];
  readonly taskManagerHosts: readonly string[];
  private readonly options: SimulatedClusterOptions;
  private readonly jobManagers = new Map<string, RunningJobManager>();
  private readonly taskManagers = new Map<string, RunningTaskManager>();
  private readonly everyJobManager: JobManager[] = [];
  private readonly everyTaskManager: TaskManager[] = [];

  constructor(options: SimulatedClusterOptions) {
    this.options = options;
    this.jobManagerHosts = Array.from({ length: options.jobManagers }, (_, index) => `jobmanager-${index}`);
    this.taskManagerHosts = Array.from({ length: options.taskManagers }, (_, index) => `taskmanager-${index}`);
  }

  get hosts(): readonly string[] {
    return [...this.jobManagerHosts, ...this.taskManagerHosts];
  }

  async start(): Promise<void> {
    const { disk } = this.options.world;
    await disk.makeDirectory(HIGH_AVAILABILITY_DIRECTORY);
    await disk.syncDirectory('/');
    for (const host of this.hosts) this.boot(host);
  }

  /** Starts a process on a host where none runs. */
  boot(host: string): void {
    if (this.options.world.processOn(host) !== undefined) return;
    const process = this.options.world.boot(host);
    const started = this.jobManagerHosts.includes(host) ? this.startJobManager(process) : this.startTaskManager(process);
    // What a process cannot do at its start would end it, and whoever watches over it starts it again.
    started.catch((error: unknown) => {
      process.milestone('process failed', String(error));
      process.kill(false);
      this.options.world.clock.schedule(1_000, () => this.boot(host));
    });
  }

  /** The host whose JobManager leads, as far as it knows. */
  get leadingHost(): string | undefined {
    return this.jobManagerHosts.find((host) => this.leaderOn(host) !== undefined);
  }

  /** The JobManagers that take themselves for the leader. */
  get leaders(): readonly JobManager[] {
    return this.jobManagerHosts.flatMap((host) => this.leaderOn(host) ?? []);
  }

  /** Messages that were dropped because what they are about was over. */
  get staleMessages(): number {
    let dropped = 0;
    for (const each of [...this.everyJobManager, ...this.everyTaskManager]) dropped += each.staleMessages;
    return dropped;
  }

  /** Ends all processes in good order. */
  async stop(): Promise<void> {
    for (const running of [this.taskManagers, this.jobManagers]) {
      const alive = [...running.values()].filter(({ process }) => process.isAlive);
      await Promise.all(alive.map((each) => each.stop()));
    }
  }

  private leaderOn(host: string): JobManager | undefined {
    const running = this.jobManagers.get(host);
    return running?.process.isAlive === true ? running.leadership.jobManager : undefined;
  }

  private storageOf(process: SimulatedProcess): HighAvailabilityStorage {
    const { disk, clock, entropy } = process;
    return { files: new FileSystems({ disk, clock, random: seededRandom(entropy.seed()) }), directory: HIGH_AVAILABILITY_DIRECTORY };
  }

  private async startJobManager(process: SimulatedProcess): Promise<void> {
    const { clock, entropy, name } = process;
    const modules = new SimulatedPrograms(this.options.job);
    const leadership = new Leadership({
      storage: this.storageOf(process),
      holder: `${name}.${process.life}`,
      address: { control: `${name}:${CONTROL_PORT}`, rest: undefined },
      ...LEASE,
      clock,
      entropy,
      createJobManager: (term, submitted) => {
        const jobManager = new JobManager({
          clock,
          disk: process.disk,
          entropy,
          modules,
          term,
          submitted,
          heartbeatIntervalMs: HEARTBEAT.intervalMs,
          heartbeatTimeoutMs: HEARTBEAT.timeoutMs,
          scheduler: { type: 'Default', slotRequestTimeoutMs: SLOT_REQUEST_TIMEOUT_MS, failover: 'region' },
          spread: 'spread',
          run: { ring: RING, checked: true },
          observer: {
            taskManagerRegistered: ({ id }) => process.milestone('registered', id),
            taskManagerLost: ({ id }, reason) => process.milestone('lost', `${id}: ${reason}`),
            jobSubmitted: ({ id }) => process.milestone('job started', id),
            jobEnded: (job) => this.jobEnded(process, job),
            recoveryFailed: (job, error) => process.milestone('job not recovered', `${job}: ${error.message}`),
            refused: (remote, error) => process.milestone('refused', `${remote}: ${error.message}`),
          },
        });
        this.everyJobManager.push(jobManager);
        return jobManager;
      },
      observer: {
        leading: (term) => process.milestone('leader granted', `term ${term}`),
        standby: (term) => process.milestone('leader revoked', `term ${term}`),
        failed: (error) => process.milestone('lease unreachable', String(error)),
        recoveryFailed: (error) => process.milestone('recovery failed', String(error)),
      },
    });
    const listener = await process.network.listen(
      { host: name, port: CONTROL_PORT },
      (connection) => leadership.jobManager?.accept(connection) ?? refuse(connection),
    );
    const stop = async (): Promise<void> => {
      await leadership.stop();
      await listener.close();
    };
    this.jobManagers.set(name, { process, leadership, stop });
    leadership.start();
  }

  private jobEnded(process: SimulatedProcess, job: JobMaster): void {
    const failure = job.facts.exceptions.latest;
    process.milestone('job ended', `${job.facts.state}${job.facts.state === 'FAILED' ? ` ${failure?.stacktrace.split('\n', 1)[0]}` : ''}`);
    if (job.facts.state !== 'SUSPENDED') this.options.onJobEnded(job);
  }

  private async startTaskManager(process: SimulatedProcess): Promise<void> {
    const { clock, network, name, life, entropy } = process;
    const id = `${name}.${life}`;
    const programs = new SimulatedPrograms(this.options.job);
    const exchange = new RelayingExchange({
      taskManager: id,
      network,
      clock,
      startDriver: ({ pump, words, index }) => {
        const loop = new WokenLoop({ process, clock, words, index, step: () => (pump() ? 0 : Number.POSITIVE_INFINITY) });
        return { wake: () => void Atomics.add(words, index, 1), stop: () => loop.stop() };
      },
    });
    const data = await exchange.listen({ host: name, port: 0 });
    const taskManager = new TaskManager({
      description: {
        id,
        host: name,
        data,
        slots: this.options.slotsPerTaskManager,
        pid: life,
        hardware: { cpuCores: 1, physicalMemory: 1, freeMemory: 1 },
      },
      network,
      clock,
      modules: programs,
      findLeader: leaderFinder(this.storageOf(process), { durationMs: LEASE.durationMs, clock, entropy }),
      startSlot: slotStarter(process, () => programs.load()),
      exchange,
      observer: {
        registered: (_at, term) => process.milestone('registered at', `term ${term}`),
        disconnected: (error) => process.milestone('disconnected', error.message),
        attemptOpened: ({ attempt, region, term }) => process.milestone('attempt opened', `${attempt} region ${region} term ${term}`),
        attemptEnded: ({ attempt, region, term }, reason) =>
          process.milestone('attempt ended', `${attempt} region ${region} term ${term}: ${reason}`),
        stale: (type, { attempt, region, term }) => process.milestone('stale message', `${type} ${attempt} region ${region} term ${term}`),
      },
    });
    this.everyTaskManager.push(taskManager);
    const stop = async (): Promise<void> => {
      await taskManager.stop();
      await exchange.close();
    };
    this.taskManagers.set(name, { process, taskManager, stop });
    taskManager.start();
  }
}

function refuse(connection: Connection): ConnectionListener {
  connection.close();
  return { onMessage: () => undefined, onDrain: () => undefined, onClose: () => undefined };
}
