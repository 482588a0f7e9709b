/**
 * The kinds of faults: how each is drawn, and what it does. A fault says how much it has changed, since one that changed nothing shows
 * nothing.
 */
import type { DiskOperation } from '../../common/memory-disk.js';
import type { Random } from '../../common/random.js';
import type { ClusterHosts } from './cluster-fault.js';
import type { SimulatedCluster } from './simulated-cluster.js';
import type { DiskMishap } from './simulated-disk.js';
import type { SimulatedWorld } from './simulated-world.js';
import { sentTally } from './traced-network.js';

/** 'leader': whoever leads when the fault begins. */
export type FaultTarget = string;

/** What a fault is, by type. Times in ms. */
export interface FaultBodies {
  /** A process dies, and another starts on its host; `silent`: with its machine, so that nobody hears of it. */
  readonly kill: { readonly type: 'kill'; readonly host: FaultTarget; readonly silent: boolean; readonly downMs: number };
  /** A process stands still, and then goes on as if nothing had been. */
  readonly pause: { readonly type: 'pause'; readonly host: FaultTarget; readonly durationMs: number };
  /** Nothing arrives from one host at another, or both ways; it arrives later. */
  readonly partition: {
    readonly type: 'partition';
    readonly from: FaultTarget;
    readonly to: FaultTarget;
    readonly bothWays: boolean;
    readonly durationMs: number;
  };
  /** Messages from one host to another take up to so long. */
  readonly slowLink: {
    readonly type: 'slowLink';
    readonly from: FaultTarget;
    readonly to: FaultTarget;
    readonly latencyMs: number;
    readonly durationMs: number;
  };
  /** The connections of a host break. */
  readonly breakConnections: { readonly type: 'breakConnections'; readonly host: FaultTarget };
  /** Some of a host's operations fail, or only seem to. */
  readonly failDisk: {
    readonly type: 'failDisk';
    readonly host: FaultTarget;
    readonly mishap: 'EIO' | 'ENOSPC' | 'loseAnswer';
    /** Which: each with this probability, at most so many. */
    readonly probability: number;
    readonly operationsMax: number;
    readonly durationMs: number;
  };
  /** A host's operations take up to so long. */
  readonly slowDisk: { readonly type: 'slowDisk'; readonly host: FaultTarget; readonly delayMs: number; readonly durationMs: number };
  /**
   * Everything loses its power, the shared disk too: of what was not synced each part may be gone. (A disk that forgets while processes go
   * on is no fault that a program could notice.)
   */
  readonly powerLoss: { readonly type: 'powerLoss'; readonly downMs: number };
}

/** A fault of any type. */
export type FaultBody = FaultBodies[keyof FaultBodies];

/** What a fault happens to. */
export interface FaultSurroundings {
  readonly world: SimulatedWorld;
  readonly cluster: SimulatedCluster;
  readonly random: Random;
}

/** A fault that has begun. */
export interface BegunFault {
  /** After so long it ends by itself. */
  readonly durationMs: number;
  end(): void;
  /** What it has changed so far: processes, messages, operations. */
  effects(): number;
}

/** One type of faults. */
export interface FaultKind<B extends FaultBody> {
  draw(random: Random, hosts: ClusterHosts): B;
  /** Undefined: there is nothing that it could happen to now. */
  begin(surroundings: FaultSurroundings, body: B): BegunFault | undefined;
}

const DOWN_MS = 4_000;
const PAUSE_MS = 8_000;
const PARTITION_MS = 6_000;
const OPERATIONS_MAX = 6;
const READS: ReadonlySet<DiskOperation> = new Set(['exists', 'list', 'open']);

/** All types. */
export const FAULT_KINDS: { readonly [T in keyof FaultBodies]: FaultKind<FaultBodies[T]> } = {
  kill: {
    draw: (random, hosts) => ({
      type: 'kill',
      host: drawTarget(random, hosts),
      silent: random.below(3) === 0,
      downMs: random.unit() * DOWN_MS,
    }),
    begin: ({ world, cluster }, { host, silent, downMs }) => {
      const name = resolveTarget(cluster, host);
      const process = name === undefined ? undefined : world.processOn(name);
      if (process === undefined) return undefined;
      process.kill(silent);
      return { durationMs: downMs, end: () => cluster.boot(process.name), effects: () => 1 };
    },
  },
  pause: {
    draw: (random, hosts) => ({ type: 'pause', host: drawTarget(random, hosts), durationMs: random.unit() * PAUSE_MS }),
    begin: ({ world, cluster }, { host, durationMs }) => {
      const name = resolveTarget(cluster, host);
      const process = name === undefined ? undefined : world.processOn(name);
      if (process === undefined) return undefined;
      process.milestone('process paused', `for ${durationMs.toFixed(0)} ms`);
      process.clock.pause(durationMs);
      const others = cluster.hosts.filter((other) => other !== process.name);
      for (const other of others) world.block(other, process.name);
      return { durationMs, end: () => others.forEach((other) => world.unblock(other, process.name)), effects: () => 1 };
    },
  },
  partition: {
    draw: (random, hosts) => ({
      type: 'partition',
      ...drawPair(random, hosts),
      bothWays: random.below(3) > 0,
      durationMs: random.unit() * PARTITION_MS,
    }),
    begin: ({ world, cluster }, { from, to, bothWays, durationMs }) => {
      const pairs = resolvePairs(cluster, from, to, bothWays);
      for (const [one, other] of pairs) world.block(one, other);
      const end = (): void => pairs.forEach(([one, other]) => world.unblock(one, other));
      return { durationMs, end, effects: messagesSince(world, pairs) };
    },
  },
  slowLink: {
    draw: (random, hosts) => ({
      type: 'slowLink',
      ...drawPair(random, hosts),
      latencyMs: 5 + random.unit() * 400,
      durationMs: random.unit() * PARTITION_MS,
    }),
    begin: ({ world, cluster }, { from, to, latencyMs, durationMs }) => {
      const pairs = resolvePairs(cluster, from, to, false);
      for (const [one, other] of pairs) world.network.setLatency(one, other, [0.1, latencyMs]);
      const end = (): void => pairs.forEach(([one, other]) => world.network.setLatency(one, other, undefined));
      return { durationMs, end, effects: messagesSince(world, pairs) };
    },
  },
  breakConnections: {
    draw: (random, hosts) => ({ type: 'breakConnections', host: drawTarget(random, hosts) }),
    begin: ({ world, cluster }, { host }) => {
      const name = resolveTarget(cluster, host);
      const broken = name === undefined ? 0 : world.network.breakConnections(name);
      return { durationMs: 0, end: () => undefined, effects: () => broken };
    },
  },
  failDisk: {
    draw: (random, hosts) => ({
      type: 'failDisk',
      host: drawTarget(random, hosts),
      mishap: (['EIO', 'ENOSPC', 'loseAnswer'] as const)[random.below(3)] as 'EIO' | 'ENOSPC' | 'loseAnswer',
      probability: random.below(2) === 0 ? 1 : random.unit(),
      operationsMax: 1 + random.below(OPERATIONS_MAX),
      durationMs: random.unit() * PARTITION_MS,
    }),
    begin: (surroundings, { host, mishap, probability, operationsMax, durationMs }) => {
      let left = operationsMax;
      return beginMishaps(surroundings, host, durationMs, (operation) => {
        // A full disk can be read.
        const isPossible = mishap !== 'ENOSPC' || operation === 'create' || operation === 'write';
        if (left === 0 || !isPossible || surroundings.random.unit() >= probability) return undefined;
        left--;
        return mishap === 'loseAnswer' && !READS.has(operation)
          ? { type: 'loseAnswer' }
          : { type: 'fail', code: mishap === 'ENOSPC' ? mishap : 'EIO' };
      });
    },
  },
  slowDisk: {
    draw: (random, hosts) => ({
      type: 'slowDisk',
      host: drawTarget(random, hosts),
      delayMs: random.unit() * 300,
      durationMs: random.unit() * PARTITION_MS,
    }),
    begin: (surroundings, { host, delayMs, durationMs }) =>
      beginMishaps(surroundings, host, durationMs, () => ({ type: 'delay', delayMs: surroundings.random.unit() * delayMs })),
  },
  powerLoss: {
    draw: (random) => ({ type: 'powerLoss', downMs: random.unit() * DOWN_MS }),
    begin: ({ world, cluster, random }, { downMs }) => {
      const killed = cluster.hosts.flatMap((host) => world.processOn(host) ?? []);
      for (const process of killed) process.kill(true);
      world.disk.crash(random);
      world.records.powerLost();
      return { durationMs: downMs, end: () => cluster.hosts.forEach((host) => cluster.boot(host)), effects: () => killed.length };
    },
  },
};

/** Begins a fault of any type. */
export function beginFault(surroundings: FaultSurroundings, body: FaultBody): BegunFault | undefined {
  return (FAULT_KINDS[body.type] as FaultKind<FaultBody>).begin(surroundings, body);
}

const LEADER = 'leader';

function drawTarget(random: Random, { jobManagers, taskManagers }: ClusterHosts): FaultTarget {
  const targets = [...taskManagers, LEADER, ...jobManagers.slice(0, 1)];
  return targets[random.below(targets.length)] as string;
}

function drawPair(random: Random, hosts: ClusterHosts): { readonly from: FaultTarget; readonly to: FaultTarget } {
  const from = drawTarget(random, hosts);
  let to = drawTarget(random, hosts);
  while (to === from) to = drawTarget(random, hosts);
  return { from, to };
}

function resolveTarget(cluster: SimulatedCluster, target: FaultTarget): string | undefined {
  return target === LEADER ? cluster.leadingHost : target;
}

type Pair = readonly [from: string, to: string];

function resolvePairs(cluster: SimulatedCluster, from: FaultTarget, to: FaultTarget, bothWays: boolean): readonly Pair[] {
  const one = resolveTarget(cluster, from);
  const other = resolveTarget(cluster, to);
  if (one === undefined || other === undefined || one === other) return [];
  return bothWays
    ? [
        [one, other],
        [other, one],
      ]
    : [[one, other]];
}

function messagesSince({ trace }: SimulatedWorld, pairs: readonly Pair[]): () => number {
  const count = (): number => pairs.reduce((sum, [from, to]) => sum + trace.count(sentTally(from, to)), 0);
  const before = count();
  return () => count() - before;
}

function beginMishaps(
  { world, cluster }: FaultSurroundings,
  target: FaultTarget,
  durationMs: number,
  draw: (operation: DiskOperation) => DiskMishap | undefined,
): BegunFault {
  const name = resolveTarget(cluster, target);
  let count = 0;
  const source = (host: string, operation: DiskOperation): DiskMishap | undefined => {
    const mishap = host === name ? draw(operation) : undefined;
    if (mishap !== undefined) count++;
    return mishap;
  };
  world.mishaps.add(source);
  return { durationMs, end: () => void world.mishaps.delete(source), effects: () => count };
}
