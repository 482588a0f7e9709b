/** Contenders for a lease with clocks of their own, faults and crashes, in any order: terms are unique and grow, and the lease is never stuck. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { ObjectCheckpointFiles } from '../checkpoint/object-checkpoint-files.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import { type FaultPlan, type StepFault, withFaults } from '../testing/faults.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { LeaderLease } from './leader-lease.js';
import { fileLeaseStore } from './lease-store.js';

const DURATION_MS = 3000;
const CONTENDERS = 3;

type Action =
  | { readonly type: 'acquire' | 'renew' | 'release' | 'restart'; readonly contender: number }
  | { readonly type: 'pass'; readonly contender: number; readonly ms: number }
  | { readonly type: 'fault'; readonly contender: number; readonly afterSteps: number; readonly fault: StepFault };

const contender = fc.nat(CONTENDERS - 1);
const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constantFrom('acquire', 'renew'), contender }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('release', 'restart'), contender }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('pass'), contender, ms: fc.constantFrom(500, 1500, DURATION_MS) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('fault'),
      contender,
      afterSteps: fc.nat(12),
      fault: fc.constantFrom('killBefore', 'killAfter', 'fail', 'loseAnswer'),
    }),
  },
);

/** A process, which may die and be started again: with another nonce, and a clock that begins anew. */
class Contender {
  lease: LeaderLease;
  clock = new VirtualClock();
  private starts = 0;
  private pendingFault: { steps: number; readonly fault: StepFault } | undefined;
  private readonly name: string;
  private readonly open: (faults: FaultPlan) => CheckpointFiles;
  private readonly directory: string;

  constructor(name: string, directory: string, open: (faults: FaultPlan) => CheckpointFiles) {
    this.name = name;
    this.directory = directory;
    this.open = open;
    this.lease = this.restart();
  }

  restart(): LeaderLease {
    const nonce = `${this.name}-${++this.starts}`;
    this.pendingFault = undefined;
    this.clock = new VirtualClock(this.starts * 1_000_000);
    const store = fileLeaseStore(this.open(this.plan), this.directory, nonce);
    const claim = { holder: this.name, address: { control: `${this.name}:1`, rest: undefined }, durationMs: DURATION_MS, nonce };
    this.lease = new LeaderLease(store, claim, this.clock);
    return this.lease;
  }

  faultAfter(steps: number, fault: StepFault): void {
    this.pendingFault = { steps, fault };
  }

  private readonly plan: FaultPlan = () => {
    const pending = this.pendingFault;
    if (pending === undefined || pending.steps-- > 0) return undefined;
    this.pendingFault = undefined;
    return pending.fault;
  };
}

const PLACES: { readonly [name: string]: () => Promise<{ directory: string; open: (faults: FaultPlan) => CheckpointFiles }> } = {
  'objects in memory': async () => {
    const store = new MemoryObjectStore();
    return { directory: `${store.root}/ha`, open: (faults) => new ObjectCheckpointFiles(withFaults(store, faults)) };
  },
  'a memory disk': async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('/ha');
    return { directory: '/ha', open: (faults) => new DiskCheckpointFiles(withFaults(disk, faults)) };
  },
};

describe.each(Object.entries(PLACES))('a lease on %s', (_, newPlace) => {
  it('has unique terms that grow, and is always taken over in the end', async () => {
    let acquired = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyAction, { minLength: 5, maxLength: 60 }), async (actions) => {
        const { directory, open } = await newPlace();
        const contenders = Array.from({ length: CONTENDERS }, (__, at) => new Contender(`c${at}`, directory, open));
        const owners = new Map<number, LeaderLease>();
        let newest = 0;
        const grant = (term: number, lease: LeaderLease): void => {
          if (owners.get(term) === lease) return;
          acquired++;
          expect(owners.has(term)).toBe(false);
          expect(term).toBeGreaterThan(newest);
          owners.set(term, lease);
          newest = term;
        };
        for (const action of actions) {
          const own = contenders[action.contender] as Contender;
          const { lease } = own;
          switch (action.type) {
            case 'pass':
              own.clock.advanceBy(action.ms);
              break;
            case 'restart':
              own.restart();
              break;
            case 'fault':
              own.faultAfter(action.afterSteps, action.fault);
              break;
            case 'acquire': {
              const term = await lease.tryAcquire().catch(() => undefined);
              if (term !== undefined) grant(term, lease);
              break;
            }
            case 'renew':
              if (await lease.renew().catch(() => false)) {
                expect(lease.term).toBe(newest);
                expect(owners.get(newest)).toBe(lease);
              }
              break;
            case 'release':
              await lease.release().catch(() => undefined);
              expect(lease.term).toBeUndefined();
              break;
          }
        }
        const last = contenders[0] as Contender;
        last.restart();
        await last.lease.tryAcquire();
        last.clock.advanceBy(DURATION_MS);
        const term = await last.lease.tryAcquire();
        expect(term).toBeDefined();
        grant(term as number, last.lease);
      }),
      { numRuns: 300, seed: 11 },
    );
    expect(acquired).toBeGreaterThan(300);
  });
});
