/**
 * One process of a simulated cluster, from its start to its end: a clock, a network, a disk, chance and the threads that it has, all of
 * which end with it. A process that starts again on the same host is another one.
 */
import type { Disk } from '../../common/disk.js';
import type { DiskOperation } from '../../common/memory-disk.js';
import { type Entropy, type Random, seededEntropy, seededRandom } from '../../common/random.js';
import type { Network } from '../../common/transport.js';
import type { ProcessClock } from './process-clock.js';
import { type DiskMishap, simulatedDisk } from './simulated-disk.js';
import type { SimulatedWorld } from './simulated-world.js';
import { tracedNetwork } from './traced-network.js';

/** Something that looks, between two events, whether others have woken it. */
export interface Woken {
  poll(): void;
}

/** See the head of this file. */
export class SimulatedProcess {
  /** The host's name. */
  readonly name: string;
  /** Which process of this host, from 1 on. */
  readonly life: number;
  readonly clock: ProcessClock;
  readonly network: Network;
  readonly disk: Disk;
  readonly random: Random;
  readonly entropy: Entropy;
  readonly world: SimulatedWorld;
  readonly woken: Set<Woken> = new Set();

  constructor(world: SimulatedWorld, name: string, life: number, clock: ProcessClock) {
    this.world = world;
    this.name = name;
    this.life = life;
    this.clock = clock;
    this.random = seededRandom(world.random.uint32());
    this.entropy = seededEntropy(this.random);
    this.network = tracedNetwork(world.network.host(name), name, world.trace);
    this.disk = this.diskOf(clock);
  }

  get isAlive(): boolean {
    return !this.clock.isDead;
  }

  /** The disk as a thread of this process sees it. */
  diskOf(clock: ProcessClock): Disk {
    const { world, name, random } = this;
    return simulatedDisk({
      disk: world.disk,
      clock,
      random,
      mishap: (operation: DiskOperation, path: string): DiskMishap | undefined => world.mishap(name, operation, path),
      done: (operation, path) => world.diskDone(name, operation, path),
    });
  }

  /** Between `least` and `most`, drawn anew each time. */
  between(least: number, most: number): number {
    return least + this.random.unit() * (most - least);
  }

  milestone(kind: string, detail = ''): void {
    this.world.trace.milestone(kind, this.name, detail);
  }

  /** As `kill -9`, or (silent) as a machine that loses its power. Nothing of it is closed. */
  kill(silent: boolean): void {
    this.milestone('process killed', silent ? 'without a word' : '');
    this.clock.kill();
    this.woken.clear();
    this.world.network.kill(this.name, silent);
  }

  /** The end of a process that has closed everything. */
  exit(): void {
    this.clock.kill();
    this.world.network.kill(this.name);
  }
}
