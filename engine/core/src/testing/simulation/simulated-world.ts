/** What the processes of a simulated cluster have in common: time, chance, a network, a disk, and who watches. */
import { type DiskOperation, MemoryDisk } from '../../common/memory-disk.js';
import { type Random, seededRandom } from '../../common/random.js';
import { VirtualClock } from '../virtual-clock.js';
import { VirtualNetwork } from '../virtual-network.js';
import { type ClockSkew, ProcessClock } from './process-clock.js';
import { RecordWatch } from './record-watch.js';
import type { DiskMishap } from './simulated-disk.js';
import { SimulatedProcess } from './simulated-process.js';
import { SimulationTrace } from './simulation-trace.js';

/** Says what befalls an operation of a host's process; undefined: nothing. */
export type MishapSource = (host: string, operation: DiskOperation, path: string) => DiskMishap | undefined;

/** See the head of this file. */
export class SimulatedWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: Random;
  readonly network: VirtualNetwork;
  readonly disk: MemoryDisk = new MemoryDisk();
  readonly trace: SimulationTrace;
  readonly records: RecordWatch;
  /** What can befall operations now. */
  readonly mishaps: Set<MishapSource> = new Set();
  private readonly blocks = new Map<string, number>();
  private readonly processes = new Map<string, SimulatedProcess>();
  private readonly skews = new Map<string, ClockSkew>();
  private readonly lives = new Map<string, number>();

  constructor(options: { readonly seed: number; readonly resultsDirectory: string; readonly print: boolean }) {
    this.random = seededRandom(options.seed);
    this.trace = new SimulationTrace(this.clock, options.print);
    const random = seededRandom(this.random.uint32());
    // Length must not be time: the same object is not always serialized into the same number of bytes.
    this.network = new VirtualNetwork({ clock: this.clock, random, bytesPerMs: Number.POSITIVE_INFINITY });
    this.records = new RecordWatch(this.disk, options.resultsDirectory);
  }

  /** Ms since the beginning. */
  get elapsedMs(): number {
    return this.clock.now();
  }

  /** A host's clock goes wrong from its next process on. */
  skew(host: string, skew: ClockSkew): void {
    this.skews.set(host, skew);
  }

  /** The process that runs on a host now. */
  processOn(host: string): SimulatedProcess | undefined {
    const process = this.processes.get(host);
    return process?.isAlive === true ? process : undefined;
  }

  /** A new process on a host that has none. */
  boot(host: string): SimulatedProcess {
    const life = (this.lives.get(host) ?? 0) + 1;
    this.lives.set(host, life);
    const clock = new ProcessClock(this.clock, this.skews.get(host) ?? { offsetMs: 0, rate: 1 }, 0);
    const process = new SimulatedProcess(this, host, life, clock);
    this.processes.set(host, process);
    process.milestone('process started', `life ${life}`);
    return process;
  }

  /** Nothing arrives from one host at the other, until it has been unblocked as often. */
  block(from: string, to: string): void {
    const pair = `${from} > ${to}`;
    this.blocks.set(pair, (this.blocks.get(pair) ?? 0) + 1);
    this.network.partition(from, to, 'one-way');
  }

  unblock(from: string, to: string): void {
    const pair = `${from} > ${to}`;
    this.blocks.set(pair, (this.blocks.get(pair) ?? 1) - 1);
    if (this.blocks.get(pair) !== 0) return;
    this.network.heal(from, to);
    if ((this.blocks.get(`${to} > ${from}`) ?? 0) > 0) this.network.partition(to, from, 'one-way');
  }

  /** To be called between any two events: threads that were woken run soon. */
  poll(): void {
    for (const { woken } of this.processes.values()) for (const each of woken) each.poll();
  }

  mishap(host: string, operation: DiskOperation, path: string): DiskMishap | undefined {
    for (const source of this.mishaps) {
      const mishap = source(host, operation, path);
      if (mishap !== undefined) return mishap;
    }
    return undefined;
  }

  diskDone(host: string, operation: DiskOperation, path: string): void {
    this.trace.event(`disk ${operation}`, host, path);
    void this.records.diskDone(operation, path);
  }

  /** What living processes still wait for. */
  get pendingCalls(): number {
    let calls = 0;
    for (const process of this.processes.values()) calls += process.clock.pendingCalls;
    return calls;
  }
}
