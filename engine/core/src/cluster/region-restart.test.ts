/** The regions of an attempt whose slots are played by the test. */
import { describe, expect, it } from 'vitest';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import { DEFAULT_CHECKPOINT_CONFIG } from '../checkpoint/coordinator-state.js';
import { EMPTY_OPERATOR_SNAPSHOT } from '../checkpoint/snapshot.js';
import { MillstreamError } from '../common/errors.js';
import { MemoryDisk } from '../common/memory-disk.js';
import type { Source, SourceSplit, SplitEnumeratorContext } from '../connector/source.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph, JobVertex } from '../plan/job-graph.js';
import type { JobProgram } from '../plan/plan.js';
import { DEFAULT_RING } from '../runtime/deployment.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import type { AttemptOptions, AttemptOutcome } from './attempt-options.js';
import { NoCheckpointStore } from './checkpoint-store.js';
import { ExecutionAttempt } from './execution-attempt.js';
import { SILENT_OBSERVER } from './local-executor.js';
import type { SlotListener, SlotReport, SlotSet } from './slot-set.js';

const LOST = new MillstreamError('SLOT_LOST', 'the slot is lost', { retryable: true });

/** An attempt of `source → sink` with three subtasks, each a region. */
class Rig {
  readonly clock = new VirtualClock(0);
  /** What slots were told, 'closed' and 'killed' included, and what the observer heard. */
  readonly told: string[] = [];
  /** By slot: the newest. */
  readonly listeners = new Map<number, SlotListener>();
  enumerator!: SplitEnumeratorContext<SourceSplit>;
  given: string[] = [];
  snapshotState = (): unknown => undefined;
  closeEnumerator = (): void => undefined;
  readonly notClosed: string[] = [];
  slotsFound: Promise<void> | undefined;
  /** What the restart strategy answers. */
  delay: number | MillstreamError = 50;
  readonly store = new NoCheckpointStore();
  readonly attempt: ExecutionAttempt;
  readonly vertex: JobVertex;
  readonly outcome: Promise<AttemptOutcome>;
  /** Whether slots are deployed at once. */
  deploys: boolean;

  constructor(deploys = true) {
    this.deploys = deploys;
    const source: Source<number> = {
      boundedness: 'continuous-unbounded',
      createEnumerator: (context) => {
        this.enumerator = context;
        return {
          start: () => undefined,
          addReader: (subtask) => this.given.push(`reader ${subtask}`),
          handleSplitRequest: () => undefined,
          addSplitsBack: (splits) => this.given.push(`back ${splits.map(({ id }) => id).join()}`),
          snapshotState: () => this.snapshotState(),
          close: () => this.closeEnumerator(),
        };
      },
      createReader: () => {
        throw new Error('there are no readers here');
      },
    };
    const job = new JobBuilder(streams, undefined);
    const env = new StreamExecutionEnvironment(job).setParallelism(3);
    env.fromSource(source, WatermarkStrategy.noWatermarks(), 'source').print();
    const program = job.build('regions');
    const graph = buildJobGraph(program.plan);
    [this.vertex] = graph.vertices as [JobVertex];
    this.attempt = new ExecutionAttempt(this.options(program, graph));
    this.outcome = this.attempt.run();
  }

  private options(program: JobProgram, graph: JobGraph): AttemptOptions {
    const { clock, store } = this;
    void store.startAttempt();
    return {
      run: 'run',
      attempt: 1,
      jobAttempt: 1,
      program,
      graph,
      // Slots that the test plays evaluate nothing.
      artifact: { plan: program.plan } as ProgramArtifact,
      store,
      epochs: { first: 1, last: 100 },
      restore: undefined,
      checkpoints: { ...DEFAULT_CHECKPOINT_CONFIG, intervalMs: 1000 },
      defaultParallelism: 3,
      channels: { ring: DEFAULT_RING, forceCodec: false, codegen: true },
      alignBarriers: true,
      overtakeAfterMs: undefined,
      checked: false,
      seed: 1,
      watermarkIntervalMs: 200,
      sampleDelays: false,
      localState: { writes: false, reads: false },
      youngGenerationMb: 1,
      clock,
      disk: new MemoryDisk(),
      createSlots: ({ attempt }, { region }, listener) => this.slots(attempt, region.slots[0] as number, listener),
      failover: {
        delayOf: () => {
          if (typeof this.delay !== 'number') throw this.delay;
          return this.delay;
        },
        restore: async () => undefined,
        replace: async (slots) => {
          this.told.push(`replace ${slots.join()}`);
          await this.slotsFound;
          return (options, plan, listener) => this.slots(options.attempt, plan.region.slots[0] as number, listener);
        },
      },
      running: () => undefined,
      observer: {
        ...SILENT_OBSERVER,
        closeFailed: ({ message }) => this.notClosed.push(message),
        regionsRestarting: (subtasks) => this.told.push(`restarting ${subtasks.map(({ subtaskIndex }) => subtaskIndex).join()}`),
        checkpointTriggered: (epoch) => this.told.push(`checkpoint ${epoch}`),
        checkpointFailed: (epoch) => this.told.push(`checkpoint ${epoch} failed`),
        checkpointCompleted: ({ epoch }) => this.told.push(`checkpoint ${epoch} complete`),
      },
    };
  }

  private slots(attempt: number, slot: number, listener: SlotListener): SlotSet {
    const name = `${slot}/${attempt}`;
    this.listeners.set(slot, listener);
    return {
      start: async () => {
        this.told.push(`${name} deploy`);
        if (this.deploys) this.say(slot, { type: 'deployed' });
      },
      send: (_vertex, _subtask, message) => this.told.push(`${name} ${message.type}`),
      broadcast: (message) => this.told.push(`${name} ${message.type}`),
      close: async () => void this.told.push(`${name} closed`),
      kill: async () => void this.told.push(`${name} killed`),
      killSlot: () => undefined,
    };
  }

  say(slot: number, message: SlotReport): void {
    this.listeners.get(slot)?.message(slot, message);
  }

  acknowledge(epoch: number, ...slots: readonly number[]): void {
    for (const subtaskIndex of slots) {
      const operators = Object.fromEntries(this.vertex.chain.map(({ node }) => [node.id, EMPTY_OPERATOR_SNAPSHOT]));
      const snapshot = { epoch, vertexId: this.vertex.id, subtaskIndex, operators, writtenBytes: 0 };
      this.say(subtaskIndex, { type: 'acknowledged', snapshot });
    }
  }

  async settle(): Promise<string[]> {
    for (let i = 0; i < 50; i++) await Promise.resolve();
    return this.told.splice(0);
  }

  async pass(ms: number): Promise<string[]> {
    this.clock.advanceBy(ms);
    return await this.settle();
  }
}

/** All run, and one checkpoint is complete. */
async function started(): Promise<Rig> {
  const rig = new Rig();
  await rig.settle();
  await rig.pass(1000);
  rig.acknowledge(1, 0, 1, 2);
  expect(await rig.settle()).toContain('checkpoint 1 complete');
  rig.given = [];
  return rig;
}

describe('a region that has failed', () => {
  it('restarts alone, in this order', async () => {
    const rig = await started();
    await rig.pass(1000);
    rig.listeners.get(1)?.lost(LOST);
    expect(await rig.pass(0)).toEqual(['checkpoint 2 failed', '0/1 abort', '2/1 abort', 'restarting 1', '1/1 closed', '1/1 killed']);
    expect(await rig.pass(50)).toEqual(['replace 1', '1/2 deploy', '1/2 start']);
    expect(rig.given).toEqual(['reader 1']);
    expect(await rig.pass(950)).toEqual(['0/1 trigger', '1/2 trigger', '2/1 trigger', 'checkpoint 3']);
    rig.acknowledge(3, 0, 1, 2);
    expect(await rig.settle()).toContain('checkpoint 3 complete');
  });

  it('restarts from the checkpoint before where the metadata of a newer one is not written yet, and that never completes', async () => {
    const rig = await started();
    const written = Promise.withResolvers<void>();
    rig.store.writeMetadata = async () => await written.promise;
    await rig.pass(1000);
    rig.acknowledge(2, 0, 1, 2);
    rig.enumerator.assign({ id: 'after the trigger' }, 1);
    rig.listeners.get(1)?.lost(LOST);
    const told = [...(await rig.pass(0)), ...(await rig.pass(50))];
    expect(told).toContain('checkpoint 2 failed');
    written.resolve();
    expect(await rig.settle()).toEqual(['1/2 deploy', '1/2 start']);
    expect(rig.given).toEqual(['back after the trigger', 'reader 1']);
  });

  it('restarts from a checkpoint that is being committed', async () => {
    const rig = await started();
    const commit = Promise.withResolvers<[]>();
    rig.store.commit = async () => await commit.promise;
    await rig.pass(1000);
    rig.acknowledge(2, 0, 1, 2);
    await rig.settle();
    rig.listeners.get(1)?.lost(LOST);
    expect([...(await rig.pass(0)), ...(await rig.pass(50))]).toContain('replace 1');
    commit.resolve([]);
    const told = await rig.settle();
    expect(told).not.toContain('checkpoint 2 failed');
    expect(told.indexOf('checkpoint 2 complete')).toBeLessThan(told.indexOf('1/2 deploy'));
    expect(told).not.toContain('1/2 complete');
  });

  it('is not given what an enumerator has for its readers while they are gone; it goes back, and comes then', async () => {
    const rig = await started();
    rig.enumerator.assign({ id: 'before' }, 1);
    expect(await rig.settle()).toEqual(['1/1 assign']);
    rig.listeners.get(1)?.lost(LOST);
    rig.enumerator.assign({ id: 'while it closes' }, 1);
    await rig.pass(0);
    rig.deploys = false;
    await rig.pass(50);
    rig.enumerator.assign({ id: 'while it is deployed' }, 1);
    rig.enumerator.assign({ id: 'of another' }, 2);
    expect(await rig.settle()).toEqual(['2/1 assign']);
    rig.say(1, { type: 'deployed' });
    expect(await rig.settle()).toEqual(['1/2 start']);
    expect(rig.given).toEqual(['back before,while it closes,while it is deployed', 'reader 1']);
    rig.enumerator.assign({ id: 'before' }, 1);
    expect(await rig.settle()).toEqual(['1/2 assign']);
  });

  it('counts as one failure with those that fail with it', async () => {
    const rig = await started();
    rig.listeners.get(0)?.lost(LOST);
    await rig.settle();
    rig.listeners.get(2)?.lost(LOST);
    const told = [...(await rig.pass(0)), ...(await rig.pass(50))];
    expect(told.filter((line) => line.startsWith('restarting') || line.startsWith('replace'))).toEqual(['restarting 0,2', 'replace 0,2']);
    expect(told).toEqual(expect.arrayContaining(['0/2 start', '2/2 start']));
  });

  it('is not heard any more until its new slots are there', async () => {
    const rig = await started();
    const old = rig.listeners.get(1);
    old?.lost(LOST);
    old?.lost(LOST);
    old?.message(1, { type: 'requestCheckpoint' });
    expect((await rig.pass(0)).filter((line) => line.startsWith('restarting'))).toEqual(['restarting 1']);
    await rig.pass(50);
    old?.lost(LOST);
    expect(await rig.settle()).toEqual([]);
  });

  it('restarts again when its new slots fail, too', async () => {
    const rig = await started();
    rig.listeners.get(1)?.lost(LOST);
    await rig.pass(0);
    await rig.pass(50);
    rig.listeners.get(1)?.lost(LOST);
    expect([...(await rig.pass(0)), ...(await rig.pass(50))]).toContain('1/3 start');
  });

  it('ends the attempt where the restart strategy says so', async () => {
    const rig = await started();
    rig.delay = LOST;
    rig.listeners.get(1)?.lost(LOST);
    const told = await rig.pass(0);
    expect(await rig.outcome).toMatchObject({ type: 'failed', error: LOST });
    for (const slot of [0, 1, 2]) expect(told.filter((line) => line === `${slot}/1 killed`)).toHaveLength(1);
  });

  it('takes the attempt with it before all tasks run', async () => {
    const rig = new Rig(false);
    await rig.settle();
    rig.say(0, { type: 'deployed' });
    rig.listeners.get(1)?.lost(LOST);
    expect(await rig.outcome).toMatchObject({ type: 'failed', error: LOST });
  });

  it('takes the attempt with it while that is being stopped', async () => {
    const rig = await started();
    const stopped = rig.attempt.request({ id: 'stop', kind: 'checkpoint', stop: 'suspend', directory: undefined });
    await rig.settle();
    rig.listeners.get(1)?.lost(LOST);
    await expect(stopped).rejects.toMatchObject({ code: 'CHECKPOINT_FAILED' });
    expect(await rig.outcome).toMatchObject({ type: 'failed', error: LOST });
  });

  it('restarts no more once the attempt is cancelled', async () => {
    const rig = await started();
    rig.listeners.get(1)?.lost(LOST);
    await rig.pass(0);
    rig.attempt.cancel();
    expect(await rig.outcome).toEqual({ type: 'cancelled' });
    expect(await rig.pass(1000)).not.toContain('replace 1');
  });

  it('leaves the record alone where the attempt ends while slots are looked for', async () => {
    const rig = await started();
    const slots = Promise.withResolvers<void>();
    rig.slotsFound = slots.promise;
    rig.listeners.get(1)?.lost(LOST);
    await rig.pass(0);
    expect(await rig.pass(50)).toContain('replace 1');
    rig.attempt.cancel();
    await rig.outcome;
    slots.resolve();
    await rig.settle();
    expect(await rig.store.startRegions()).toBe(2);
  });

  it('lets nobody end the job with a checkpoint meanwhile', async () => {
    const rig = await started();
    rig.listeners.get(1)?.lost(LOST);
    const stop = rig.attempt.request({ id: 'stop', kind: 'savepoint', stop: 'suspend', directory: '/s' });
    await expect(stop).rejects.toThrow(/some regions of the job are restarting/);
    const other = rig.attempt.request({ id: 'other', kind: 'checkpoint', stop: undefined, directory: undefined });
    await rig.pass(0);
    expect(await rig.pass(50)).toContain('checkpoint 2');
    rig.acknowledge(2, 0, 1, 2);
    expect(await other).toBe(2);
  });
});

describe("a user's enumerator", () => {
  it('that cannot be snapshot fails the attempt, and nothing else', async () => {
    const rig = await started();
    rig.snapshotState = () => {
      throw new Error('no snapshot today');
    };
    await rig.pass(1000);
    expect(await rig.outcome).toMatchObject({ type: 'failed', error: { message: expect.stringContaining('no snapshot today') } });
    expect(await rig.settle()).not.toContain('0/1 trigger');
  });

  it('that cannot be closed keeps no slot alive', async () => {
    const rig = await started();
    rig.closeEnumerator = () => {
      throw new Error('it stays open');
    };
    rig.attempt.cancel();
    expect(await rig.outcome).toEqual({ type: 'cancelled' });
    expect(rig.notClosed).toEqual([expect.stringContaining('it stays open')]);
    expect(await rig.settle()).toEqual(expect.arrayContaining(['0/1 killed', '1/1 killed', '2/1 killed']));
  });
});
