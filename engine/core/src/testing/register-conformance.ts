/** What every register must hold (checkpoint/register.ts), also between processes that die, and when answers are lost. */
import assert from 'node:assert/strict';
import type { Register } from '../checkpoint/register.js';
import { atEachStep, type ConformanceCase, outcomeOf } from './conformance.js';
import type { FaultPlan, StepFault } from './faults.js';

/** A fresh register, and processes that open it. */
export interface RegisterRig {
  /** As a new process would; `writer` is its own. `faults` fall on the steps of its store. */
  open(writer: string, faults?: FaultPlan): Register;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function newestOf(register: Register): Promise<{ version: number; content: string } | undefined> {
  const found = await register.read();
  return found === undefined ? undefined : { version: found.version, content: Buffer.from(found.content).toString() };
}

/** Opens a register of which version 1 is there. */
async function begun(rig: RegisterRig): Promise<void> {
  assert.equal(await rig.open('first').compareAndSet(0, bytes('one')), true);
}

/** The state after a writer had a fault at each step of a compare-and-set: it was done or it was not, and no more than that. */
async function faultAtEachStep(rig: RegisterRig, fault: StepFault): Promise<void> {
  await begun(rig);
  let version = 1;
  const steps = await atEachStep(async (step) => {
    let faulted = false;
    const plan: FaultPlan = (at) => {
      if (at !== step) return undefined;
      faulted = true;
      return fault;
    };
    const before = await newestOf(rig.open(`reader-${step}`));
    const content = `by faulty-${step}`;
    const acknowledged = await outcomeOf(rig.open(`faulty-${step}`, plan).compareAndSet(version, bytes(content)));
    assert.notEqual(acknowledged?.value, false);
    const after = await newestOf(rig.open(`other-${step}`));
    const done = { version: version + 1, content };
    assert.deepEqual(after, after?.version === version && acknowledged === undefined ? before : done);
    // Whoever comes next goes on from there.
    version = after?.version ?? 0;
    assert.equal(await rig.open(`next-${step}`).compareAndSet(version, bytes(`next ${step}`)), true);
    version++;
    assert.deepEqual(await newestOf(rig.open(`last-${step}`)), { version, content: `next ${step}` });
    return faulted ? 'faulted' : 'no such step';
  });
  assert.ok(steps > 0, 'no step had a fault');
}

/** A writer that has a fault at each step of a compare-and-set, and repeats it. */
async function repeatAtEachStep(rig: RegisterRig, fault: StepFault): Promise<void> {
  await begun(rig);
  let version = 1;
  await atEachStep(async (step) => {
    let faulted = false;
    const register = rig.open(`faulty-${step}`, (at) => {
      if (faulted || at !== step) return undefined;
      faulted = true;
      return fault;
    });
    const content = bytes(`by faulty-${step}`);
    const first = await outcomeOf(register.compareAndSet(version, content));
    if (first === undefined) assert.equal(await register.compareAndSet(version, content), true);
    version++;
    assert.deepEqual(await newestOf(rig.open(`reader-${step}`)), { version, content: `by faulty-${step}` });
    return faulted ? 'faulted' : 'no such step';
  });
}

/** The cases. */
export const REGISTER_CASES: readonly ConformanceCase<RegisterRig>[] = [
  {
    name: 'is empty at first, and then holds what was set last',
    async run(rig) {
      const register = rig.open('a');
      assert.equal(await register.read(), undefined);
      for (let version = 0; version < 5; version++)
        assert.equal(await register.compareAndSet(version, bytes(`content ${version + 1}`)), true);
      for (const each of [register, rig.open('b')]) assert.deepEqual(await newestOf(each), { version: 5, content: 'content 5' });
    },
  },
  {
    name: 'takes any bytes',
    async run(rig) {
      const content = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7) & 0xff);
      assert.equal(await rig.open('a').compareAndSet(0, content), true);
      assert.deepEqual(Buffer.from((await rig.open('b').read())?.content ?? []), Buffer.from(content));
    },
  },
  {
    name: 'refuses a version that was superseded, and one that never was',
    async run(rig) {
      const register = rig.open('a');
      assert.equal(await register.compareAndSet(1, bytes('too early')), false);
      for (let version = 0; version < 3; version++) await register.compareAndSet(version, bytes(`content ${version + 1}`));
      for (const each of [register, rig.open('b')]) {
        for (const version of [0, 1, 2, 4, 9]) assert.equal(await each.compareAndSet(version, bytes('wrong')), false, `version ${version}`);
      }
      assert.deepEqual(await newestOf(rig.open('c')), { version: 3, content: 'content 3' });
    },
  },
  {
    name: 'lets one of many racing writers win',
    async run(rig) {
      await begun(rig);
      const writers = Array.from({ length: 8 }, (_, at) => rig.open(`w${at}`));
      const results = await Promise.all(writers.map((writer, at) => writer.compareAndSet(1, bytes(`by ${at}`))));
      assert.equal(results.filter(Boolean).length, 1);
      assert.deepEqual(await newestOf(rig.open('reader')), { version: 2, content: `by ${results.indexOf(true)}` });
    },
  },
  {
    name: 'loses no change of writers that go on from what they read',
    async run(rig) {
      const count = async (register: Register, name: string): Promise<void> => {
        for (let done = 0; done < 5; ) {
          const found = await newestOf(register);
          const names = `${found?.content ?? ''}${name}`;
          if (await register.compareAndSet(found?.version ?? 0, bytes(names))) done++;
        }
      };
      const names = ['a', 'b', 'c'];
      await Promise.all(names.map((name) => count(rig.open(name), name)));
      const found = await newestOf(rig.open('reader'));
      assert.equal(found?.version, 15);
      for (const name of names) assert.equal(found.content.split(name).length, 6, `all five of ${name} in ${found.content}`);
    },
  },
  {
    name: 'finds that it was done when its answer was lost, at any step',
    run: (rig) => repeatAtEachStep(rig, 'loseAnswer'),
  },
  { name: 'is done when it is repeated after a failure of any step', run: (rig) => repeatAtEachStep(rig, 'fail') },
  {
    name: 'is done or not when its writer dies before any step',
    run: (rig) => faultAtEachStep(rig, 'killBefore'),
  },
  { name: 'is done or not when its writer dies after any step', run: (rig) => faultAtEachStep(rig, 'killAfter') },
  { name: 'is done or not when an answer is lost at any step', run: (rig) => faultAtEachStep(rig, 'loseAnswer') },
  {
    name: 'refuses a repetition that others have overtaken',
    async run(rig) {
      await begun(rig);
      let version = 1;
      await atEachStep(async (step) => {
        let faulted = false;
        const register = rig.open(`faulty-${step}`, (at) => {
          if (faulted || at !== step) return undefined;
          faulted = true;
          return 'loseAnswer';
        });
        const started = version;
        const first = await outcomeOf(register.compareAndSet(started, bytes(`by faulty-${step}`)));
        version = (await rig.open(`r-${step}`).read())?.version ?? 0;
        assert.equal(await rig.open(`other-${step}`).compareAndSet(version, bytes(`by other-${step}`)), true);
        version++;
        if (first === undefined) assert.equal(await register.compareAndSet(started, bytes(`by faulty-${step}`)), false);
        assert.deepEqual(await newestOf(rig.open(`reader-${step}`)), { version, content: `by other-${step}` });
        return faulted ? 'faulted' : 'no such step';
      });
    },
  },
  {
    name: 'is not disturbed by the removal of leftovers',
    async run(rig) {
      await begun(rig);
      await outcomeOf(rig.open('dead', (at) => (at === 2 ? 'killAfter' : undefined)).compareAndSet(1, bytes('by dead')));
      const register = rig.open('a');
      const { version = 0 } = (await register.read()) ?? {};
      const [done] = await Promise.all([register.compareAndSet(version, bytes('by a')), rig.open('b').removeLeftovers()]);
      assert.equal(done, true);
      await register.removeLeftovers();
      assert.deepEqual(await newestOf(rig.open('c')), { version: version + 1, content: 'by a' });
    },
  },
];
