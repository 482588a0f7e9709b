import { describe, expect, it } from 'vitest';
import { ObjectCheckpointFiles } from '../checkpoint/object-checkpoint-files.js';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import { seededRandom } from '../common/random.js';
import { withFaults } from '../testing/faults.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { LeaderElection } from './leader-election.js';
import { LeaderLease } from './leader-lease.js';
import { fileLeaseStore } from './lease-store.js';

const DURATION_MS = 3000;

/** A process that takes part in the election, and what it was told. */
class Participant {
  readonly told: string[] = [];
  readonly election: LeaderElection;
  /** Its store fails. */
  isCutOff = false;
  /** Its store does not answer. */
  isHanging = false;
  failures = 0;

  constructor(name: string, store: MemoryObjectStore, clock: VirtualClock, seed: number) {
    const faulty = withFaults(store, () => (this.isCutOff ? 'fail' : undefined));
    const hanging = new Proxy(faulty, {
      get: (target, member) => {
        const operation: unknown = Reflect.get(target, member);
        if (typeof operation !== 'function') return operation;
        return (...args: readonly unknown[]) => (this.isHanging ? new Promise(() => {}) : (operation(...args) as unknown));
      },
    });
    const leases = fileLeaseStore(new ObjectCheckpointFiles(hanging), 's3://memory/ha', name);
    const claim = { holder: name, address: { control: `${name}:1`, rest: undefined }, durationMs: DURATION_MS, nonce: name };
    this.election = new LeaderElection(new LeaderLease(leases, claim, clock), {
      intervalMs: 1000,
      clock,
      random: seededRandom(seed),
      listener: {
        granted: (term) => this.told.push(`granted ${term}`),
        revoked: (term) => this.told.push(`revoked ${term}`),
        failed: () => this.failures++,
      },
    });
    this.election.start();
  }
}

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const end = clock.now() + ms;
  for (;;) {
    for (let turn = 0; turn < 60; turn++) await Promise.resolve();
    if (clock.nextTime > end) break;
    clock.advanceTo(clock.nextTime);
  }
  clock.advanceTo(end);
}

function twoParticipants(): { clock: VirtualClock; a: Participant; b: Participant } {
  const clock = new VirtualClock();
  const store = new MemoryObjectStore();
  return { clock, a: new Participant('a', store, clock, 1), b: new Participant('b', store, clock, 2) };
}

describe('LeaderElection', () => {
  it('has one leader, which stays', async () => {
    const { clock, a, b } = twoParticipants();
    await pass(clock, 60_000);
    expect([...a.told, ...b.told]).toEqual(['granted 1']);
  });

  it('hands over at once when the leader stops', async () => {
    const { clock, a, b } = twoParticipants();
    await pass(clock, 5000);
    const [leader, standby] = a.told.length > 0 ? [a, b] : [b, a];
    const stopped = leader.election.stop();
    await pass(clock, 1200);
    await stopped;
    expect(leader.told).toEqual(['granted 1', 'revoked 1']);
    expect(standby.told).toEqual(['granted 2']);
  });

  it.each(['isCutOff', 'isHanging'] as const)('revokes a leader when its lease lapses, and another leads then (%s)', async (trouble) => {
    const { clock, a, b } = twoParticipants();
    await pass(clock, 5000);
    const [leader, standby] = a.told.length > 0 ? [a, b] : [b, a];
    leader[trouble] = true;
    await pass(clock, 1500);
    expect(leader.told).toEqual(['granted 1']);
    await pass(clock, DURATION_MS - 1500);
    expect(leader.told).toEqual(['granted 1', 'revoked 1']);
    // A last sign of life, the duration, and a look: so long at most.
    await pass(clock, 2 * 1100);
    expect(standby.told).toEqual(['granted 2']);
    if (trouble === 'isHanging') return;
    expect(leader.failures).toBeGreaterThan(1);
    leader.isCutOff = false;
    await pass(clock, 20_000);
    expect(leader.told).toEqual(['granted 1', 'revoked 1']);
    expect(standby.told).toEqual(['granted 2']);
  });

  it('goes on through a failure that is shorter than the lease', async () => {
    const { clock, a, b } = twoParticipants();
    await pass(clock, 5000);
    for (let round = 0; round < 5; round++) {
      for (const each of [a, b]) each.isCutOff = true;
      await pass(clock, 1400);
      for (const each of [a, b]) each.isCutOff = false;
      await pass(clock, 4000);
    }
    expect([...a.told, ...b.told]).toEqual(['granted 1']);
    expect(a.failures + b.failures).toBeGreaterThan(5);
  });
});
