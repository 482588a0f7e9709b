/** What a leader's lease must hold on every store (cluster/leader-lease.ts). Time stands still between the steps of a case. */
import assert from 'node:assert/strict';
import { LeaderLease } from '../cluster/leader-lease.js';
import { LeaderObserver } from '../cluster/leader-observer.js';
import type { LeaseStore } from '../cluster/lease-store.js';
import type { Clock } from '../common/clock.js';
import { atEachStep, type ConformanceCase, outcomeOf } from './conformance.js';
import type { FaultPlan, StepFault } from './faults.js';
import { VirtualClock } from './virtual-clock.js';

/** A fresh place for a lease, and processes that open it. */
export interface LeaseRig {
  /** As a new process would; `writer` is its own. `faults` fall on the steps of its store. */
  open(writer: string, faults?: FaultPlan): LeaseStore;
}

const DURATION_MS = 3000;

/** A process that takes part. */
function contender(rig: LeaseRig, name: string, clock: Clock, faults?: FaultPlan): LeaderLease {
  const address = { control: `${name}:6123`, rest: `http://127.0.0.1:8081` };
  return new LeaderLease(rig.open(name, faults), { holder: name, address, durationMs: DURATION_MS, nonce: name }, clock);
}

/** A fault at one step, once. */
function once(step: number, fault: StepFault): { readonly plan: FaultPlan; readonly hit: () => boolean } {
  let isHit = false;
  const plan: FaultPlan = (at) => {
    if (isHit || at !== step) return undefined;
    isHit = true;
    return fault;
  };
  return { plan, hit: () => isHit };
}

/** Lets the lease of a process that has died lapse for another one, which then takes it. */
async function takeOver(lease: LeaderLease, clock: VirtualClock): Promise<number> {
  await lease.tryAcquire();
  clock.advanceBy(DURATION_MS);
  const term = await lease.tryAcquire();
  assert.ok(term !== undefined, 'the lease was not taken over');
  return term;
}

async function acquireWithFault(rig: LeaseRig, fault: StepFault): Promise<void> {
  let newest = 0;
  const steps = await atEachStep(async (step) => {
    const { plan, hit } = once(step, fault);
    const clock = new VirtualClock();
    const faulty = contender(rig, `faulty-${step}`, clock, plan);
    // The lease of the round before lapses for this one at its second look.
    const first = await outcomeOf(faulty.tryAcquire());
    clock.advanceBy(DURATION_MS);
    const second = await outcomeOf(faulty.tryAcquire());
    for (const term of [first?.value, second?.value]) {
      if (term === undefined) continue;
      assert.ok(term > newest, `term ${term} follows ${newest}`);
      newest = term;
    }
    const otherClock = new VirtualClock();
    const next = await takeOver(contender(rig, `other-${step}`, otherClock), otherClock);
    assert.ok(next > newest, `term ${next} follows ${newest}`);
    newest = next;
    if (faulty.term !== undefined) assert.notEqual((await outcomeOf(faulty.renew()))?.value, true);
    return hit() ? 'faulted' : 'no such step';
  });
  assert.ok(steps > 0, 'no step had a fault');
}

async function renewWithFault(rig: LeaseRig, fault: StepFault): Promise<void> {
  let newest = 0;
  await atEachStep(async (step) => {
    let renewing = false;
    let counted = 0;
    let isHit = false;
    const clock = new VirtualClock();
    const faulty = contender(rig, `faulty-${step}`, clock, () => {
      if (!renewing || counted++ !== step) return undefined;
      isHit = true;
      return fault;
    });
    const term = await takeOver(faulty, clock);
    assert.ok(term > newest);
    renewing = true;
    clock.advanceBy(1000);
    const renewed = await outcomeOf(faulty.renew());
    assert.equal(faulty.term, term, 'a store that fails does not end a lease before its time');
    clock.advanceBy(renewed === undefined ? DURATION_MS - 1000 : DURATION_MS);
    assert.equal(faulty.term, undefined);
    const otherClock = new VirtualClock();
    newest = await takeOver(contender(rig, `other-${step}`, otherClock), otherClock);
    assert.equal(newest, term + 1);
    return isHit ? 'faulted' : 'no such step';
  });
}

/** The cases. */
export const LEASE_CASES: readonly ConformanceCase<LeaseRig>[] = [
  {
    name: 'is taken by one, and by another when it has lapsed by the other’s own clock',
    async run(rig) {
      const clockA = new VirtualClock(1000);
      const clockB = new VirtualClock(999_000_000);
      const a = contender(rig, 'a', clockA);
      const b = contender(rig, 'b', clockB);
      assert.equal(await a.tryAcquire(), 1);
      assert.equal(await b.tryAcquire(), undefined);
      clockB.advanceBy(DURATION_MS - 1);
      assert.equal(await b.tryAcquire(), undefined);
      clockB.advanceBy(1);
      assert.equal(await b.tryAcquire(), 2);
      assert.equal(a.term, 1, 'its own clock has not moved');
      assert.equal(await a.renew(), false);
      assert.equal(a.term, undefined);
      assert.equal(await a.tryAcquire(), undefined);
    },
  },
  {
    name: 'stays with who renews it, and lapses for its holder without anybody’s word',
    async run(rig) {
      const clock = new VirtualClock();
      const a = contender(rig, 'a', clock);
      const b = contender(rig, 'b', clock);
      await a.tryAcquire();
      for (let at = 0; at < 10; at++) {
        clock.advanceBy(1000);
        assert.equal(await a.renew(), true);
        assert.equal(await b.tryAcquire(), undefined);
      }
      assert.equal(a.term, 1);
      clock.advanceBy(DURATION_MS);
      assert.equal(a.term, undefined);
      assert.equal(await a.renew(), false, 'what has lapsed is not renewed');
      assert.equal(await a.tryAcquire(), 2, 'it may take the next term');
    },
  },
  {
    name: 'is free at once when it is released',
    async run(rig) {
      const clock = new VirtualClock();
      const a = contender(rig, 'a', clock);
      const b = contender(rig, 'b', clock);
      await a.tryAcquire();
      assert.equal(await b.tryAcquire(), undefined);
      await a.release();
      assert.equal(a.term, undefined);
      assert.equal(await b.tryAcquire(), 2);
    },
  },
  {
    name: 'is not freed by one who has lost it',
    async run(rig) {
      const clock = new VirtualClock();
      const a = contender(rig, 'a', clock);
      const b = contender(rig, 'b', new VirtualClock());
      await a.tryAcquire();
      const clockB = new VirtualClock();
      const c = contender(rig, 'c', clockB);
      assert.equal(await takeOver(c, clockB), 2);
      await a.release();
      assert.equal(await b.tryAcquire(), undefined);
      assert.equal(await c.renew(), true);
    },
  },
  {
    name: 'publishes where the leader is, until it lapses',
    async run(rig) {
      const clock = new VirtualClock();
      const observer = new LeaderObserver(rig.open('observer'), clock, DURATION_MS);
      assert.equal(await observer.leader(), undefined);
      const a = contender(rig, 'a', clock);
      await a.tryAcquire();
      const leader = { term: 1, holder: 'a', address: { control: 'a:6123', rest: 'http://127.0.0.1:8081' } };
      assert.deepEqual(await observer.leader(), leader);
      clock.advanceBy(2000);
      await a.renew();
      assert.deepEqual(await observer.leader(), leader);
      clock.advanceBy(DURATION_MS);
      assert.equal(await observer.leader(), undefined);
      await takeOver(contender(rig, 'b', clock), clock);
      assert.equal((await observer.leader())?.holder, 'b');
    },
  },
  {
    name: 'is not taken from one who lives by an observer that stood still, or whose wall clock jumps',
    async run(rig) {
      const clock = new VirtualClock();
      let jump = 0;
      const jumping: Clock = {
        now: () => clock.now() + jump,
        monotonic: () => clock.monotonic(),
        schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
      };
      const a = contender(rig, 'a', clock);
      const b = contender(rig, 'b', jumping);
      await a.tryAcquire();
      for (const days of [1, -2, 400, 0]) {
        jump = days * 86_400_000;
        assert.equal(await b.tryAcquire(), undefined);
      }
      for (let at = 0; at < 5; at++) {
        clock.advanceBy(2000);
        assert.equal(await a.renew(), true);
      }
      assert.equal(await b.tryAcquire(), undefined, 'it has not looked for 10 s, and sees another sign of life now');
    },
  },
  {
    name: 'goes to one of many who want it at the same moment',
    async run(rig) {
      for (let round = 1; round <= 3; round++) {
        const all = Array.from({ length: 5 }, (_, at) => {
          const clock = new VirtualClock();
          return { clock, lease: contender(rig, `c${round}-${at}`, clock) };
        });
        if (round > 1) {
          await Promise.all(all.map(({ lease }) => lease.tryAcquire()));
          for (const { clock } of all) clock.advanceBy(DURATION_MS);
        }
        const terms = await Promise.all(all.map(({ lease }) => lease.tryAcquire()));
        assert.deepEqual(
          terms.filter((term) => term !== undefined),
          [round],
        );
      }
    },
  },
  { name: 'gives no term twice when a contender dies before any step', run: (rig) => acquireWithFault(rig, 'killBefore') },
  { name: 'gives no term twice when a contender dies after any step', run: (rig) => acquireWithFault(rig, 'killAfter') },
  { name: 'gives no term twice when a step fails', run: (rig) => acquireWithFault(rig, 'fail') },
  { name: 'gives no term twice when an answer is lost', run: (rig) => acquireWithFault(rig, 'loseAnswer') },
  { name: 'is taken over when a holder dies before any step of a renewal', run: (rig) => renewWithFault(rig, 'killBefore') },
  { name: 'is taken over when a holder dies after any step of a renewal', run: (rig) => renewWithFault(rig, 'killAfter') },
  { name: 'is held for its duration when the store fails', run: (rig) => renewWithFault(rig, 'fail') },
  { name: 'is held for its duration when an answer is lost', run: (rig) => renewWithFault(rig, 'loseAnswer') },
];
