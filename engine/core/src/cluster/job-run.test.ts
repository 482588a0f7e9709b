/** How a run goes from attempt to attempt, and on when the disk that it keeps its record on fails or is full. Its slots are scripted. */
import { beforeEach, describe, expect, it } from 'vitest';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import type { Clock } from '../common/clock.js';
import { createDiskError } from '../common/disk-error.js';
import { type DiskFault, MemoryDisk } from '../common/memory-disk.js';
import { seededEntropy, seededRandom } from '../common/random.js';
import { discardingSink } from '../connector/print-sink.js';
import type { JobProgram } from '../plan/plan.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { runVirtualTime } from '../testing/virtual-network.js';
import type { AttemptOptions } from './attempt-options.js';
import type { FailoverRegion } from './failover-regions.js';
import { JobRun } from './job-run.js';
import type { JobRunOptions, RunOutcome } from './job-run-options.js';
import { SILENT_OBSERVER } from './local-executor.js';
import type { AttemptAllocation } from './scheduling/attempt-scheduler.js';
import type { SlotListener, SlotSet, SlotSetPlan } from './slot-set.js';

/** Slots whose subtasks have ended as soon as they run, or never end. */
class ScriptedSlots implements SlotSet {
  private readonly region: FailoverRegion;
  private readonly clock: Clock;
  private readonly listener: SlotListener;
  private readonly isEndless: boolean;

  constructor({ clock }: AttemptOptions, { region }: SlotSetPlan, listener: SlotListener, isEndless: boolean) {
    this.region = region;
    this.clock = clock;
    this.listener = listener;
    this.isEndless = isEndless;
  }

  private say(message: Parameters<SlotListener['message']>[1]): void {
    this.clock.schedule(1, () => this.listener.message(0, message));
  }

  private sayOfEach(message: Parameters<SlotListener['message']>[1]): void {
    for (const slot of this.region.slots) this.clock.schedule(1, () => this.listener.message(slot, message));
  }

  async start(): Promise<void> {
    this.sayOfEach({ type: 'deployed' });
  }

  send(): void {}

  broadcast(message: ToSlot): void {
    const { subtasks } = this.region;
    if (message.type === 'start' && !this.isEndless) {
      for (const { vertexId, subtaskIndex: subtask } of subtasks) this.say({ type: 'ended', vertexId, subtask });
    } else if (message.type === 'trigger') {
      for (const { vertexId, subtaskIndex } of subtasks) {
        const snapshot = { epoch: message.epoch, vertexId, subtaskIndex, operators: {}, writtenBytes: 0 };
        this.say({ type: 'acknowledged', snapshot });
      }
    } else if (message.type === 'complete') this.sayOfEach({ type: 'committed', epoch: message.epoch });
  }

  async close(): Promise<void> {}
  async kill(): Promise<void> {}
  killSlot(): void {}
}

const RESTARTING = {
  'restart-strategy.type': 'fixed-delay',
  'restart-strategy.fixed-delay.attempts': 10,
  'restart-strategy.fixed-delay.delay': '1 s',
};

function programOf(options: Readonly<Record<string, unknown>>): JobProgram {
  const checkpoints = { 'execution.checkpointing.dir': '/checkpoints', 'execution.checkpointing.interval': '1 h' };
  const job = new JobBuilder(streams, { mode: 'client', parameters: {}, options: { ...checkpoints, ...options } });
  new StreamExecutionEnvironment(job).fromSequence(1, 2).sinkTo(discardingSink());
  return job.build('job');
}

class Rig {
  readonly clock: VirtualClock = new VirtualClock(1_000_000);
  readonly disk: MemoryDisk = new MemoryDisk();
  /** What happened to the run, in order. */
  readonly seen: string[] = [];
  /** Of each attempt. */
  readonly attempts: AttemptOptions[] = [];
  /** What is done when an attempt runs, one by one; an attempt for which there is something does not end by itself. */
  acts: ((run: JobRun) => void)[] = [];
  /** From when all results are in a complete checkpoint. */
  faultAtEnd: DiskFault | undefined;

  /** Runs the job to its end. */
  async run(
    options: Readonly<Record<string, unknown>>,
    given: Partial<JobRunOptions> = {},
    allocated: Partial<AttemptAllocation> = {},
  ): Promise<RunOutcome> {
    const program = programOf(options);
    const run = new JobRun({
      program,
      artifact: {} as JobRunOptions['artifact'],
      options: {},
      clock: this.clock,
      disk: this.disk,
      entropy: seededEntropy(seededRandom(1)),
      observer: {
        ...SILENT_OBSERVER,
        running: () => {
          const act = this.acts[this.attempts.length - 1];
          if (act !== undefined) this.clock.schedule(1, () => act(run));
        },
        checkpointCompleted: ({ final }) => {
          if (final) this.disk.fault = this.faultAtEnd;
        },
        restarting: ({ code }, delayMs) => this.seen.push(`${code}, again in ${delayMs} ms`),
      },
      scheduler: {
        allocate: async ({ graph, reason }) => ({
          graph,
          createSlots: (attempt, plan, listener) => {
            const vertices = graph.vertices.map(({ parallelism }) => parallelism).join();
            this.seen.push(`${reason}: attempt ${attempt.attempt} at ${vertices}`);
            this.attempts.push(attempt);
            return new ScriptedSlots(attempt, plan, listener, this.acts[this.attempts.length - 1] !== undefined);
          },
          running: () => undefined,
          release: () => undefined,
          ...allocated,
        }),
        withdraw: () => undefined,
      },
      ...given,
    });
    let isOver = false;
    const outcome = run.execute().finally(() => {
      isOver = true;
    });
    outcome.catch(() => undefined);
    for (let second = 0; second < 60 && !isOver; second++) await runVirtualTime(this.clock, this.clock.now() + 1000, () => isOver);
    expect(isOver).toBe(true);
    return await outcome;
  }
}

/** The first so many of these operations fail. */
function failing(code: string, times: number, isMeant: (operation: string, path: string) => boolean): DiskFault {
  let left = times;
  return (operation, path) => (isMeant(operation, path) && left-- > 0 ? createDiskError(code, operation, path) : undefined);
}

/** A new version of the run's record gets its name. */
function isRecordChange(operation: string, path: string): boolean {
  return operation === 'link' && /\/job\.\d+$/.test(path);
}

/** The record says of the first attempt that it begins; the version before that says so of the run. */
function isFirstAttempt(operation: string, path: string): boolean {
  return isRecordChange(operation, path) && path.endsWith('.2');
}

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});

describe('a run whose disk fails for a moment', () => {
  it('is started again as its restart strategy says', async () => {
    rig.disk.fault = failing('EIO', 2, isFirstAttempt);
    expect(await rig.run(RESTARTING)).toEqual({ type: 'finished' });
    // The first attempt is in the record as begun: whether it was could not be known.
    expect(rig.seen).toEqual(['DISK_FAILED, again in 1000 ms', 'DISK_FAILED, again in 1000 ms', 'failed: attempt 2 at 1']);
  });

  it('fails where there is to be no restart, and names the file', async () => {
    rig.disk.fault = failing('EIO', 1, isFirstAttempt);
    await expect(rig.run({ 'restart-strategy.type': 'none' })).rejects.toMatchObject({
      code: 'DISK_FAILED',
      message: expect.stringMatching(/'\/checkpoints\/job-\w+\/job\.\d+'/),
    });
    expect(rig.seen).toEqual([]);
  });

  it('fails at once where it was to begin, but goes on where a former leader has begun it', async () => {
    const broken = (): DiskFault => failing('EIO', 1, (operation) => operation === 'makeDirectory');
    rig.disk.fault = broken();
    await expect(rig.run(RESTARTING)).rejects.toThrow(/EIO/);
    rig.disk.fault = broken();
    expect(await rig.run(RESTARTING, { run: 'known' })).toEqual({ type: 'finished' });
    expect(rig.seen).toEqual(['DISK_FAILED, again in 1000 ms', 'failed: attempt 1 at 1']);
  });

  it('does not try again what time does not mend', async () => {
    rig.disk.fault = failing('EACCES', 1, isFirstAttempt);
    await expect(rig.run(RESTARTING)).rejects.toMatchObject({ code: 'EACCES' });
    expect(rig.seen).toEqual([]);
  });
});

describe('a run whose disk is full when it has finished', () => {
  it('has finished as soon as there is room, without another attempt', async () => {
    rig.faultAtEnd = failing('ENOSPC', 3, isRecordChange);
    expect(await rig.run(RESTARTING)).toEqual({ type: 'finished' });
    expect(rig.seen).toEqual(['submitted: attempt 1 at 1', ...new Array<string>(3).fill('DISK_FULL, again in 1000 ms')]);
  });

  it('says so where there is to be no restart', async () => {
    rig.faultAtEnd = failing('ENOSPC', 1, isRecordChange);
    await expect(rig.run({ 'restart-strategy.type': 'none' })).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(rig.seen).toEqual(['submitted: attempt 1 at 1']);
  });
});

describe('barriers of a run with unaligned checkpoints', () => {
  const options = { 'execution.checkpointing.unaligned.enabled': true };

  it('overtake where the next attempt has the same parallelism, and not where it may get another one', async () => {
    await rig.run(options);
    await rig.run(options, {}, { isElastic: true });
    expect(rig.attempts.map(({ overtakeAfterMs }) => overtakeAfterMs)).toEqual([0, undefined]);
  });
});

describe('a run', () => {
  it('that is stopped is over, for the next leader too', async () => {
    rig.acts = [(run) => run.stop()];
    const outcome = await rig.run(RESTARTING, { run: 'known' });
    expect(outcome).toMatchObject({ type: 'stopped', checkpoint: expect.stringMatching(/\/job-known\/chk-\d+$/) });
    expect(await rig.run(RESTARTING, { run: 'known', term: 2 })).toEqual(outcome);
    expect(rig.seen).toEqual(['submitted: attempt 1 at 1']);
  });

  it('goes on at the parallelism that it is rescaled to, from a checkpoint', async () => {
    const refused: unknown[] = [];
    rig.acts = [
      (run) => {
        const wanted = new Map(rig.attempts[0]?.graph.vertices.map(({ id }) => [id, 3]));
        void run.rescale(wanted);
        run.rescale(wanted).catch(({ code }) => refused.push(code));
      },
    ];
    expect(await rig.run(RESTARTING)).toEqual({ type: 'finished' });
    expect(refused).toEqual(['REQUEST_CONFLICT']);
    expect(rig.seen).toEqual(['submitted: attempt 1 at 1', 'rescaled: attempt 2 at 3']);
    expect(rig.attempts[1]?.restore).toBeDefined();
  });

  it('starts again at once when it is told to, whatever its restart strategy says', async () => {
    const answers: boolean[] = [];
    rig.acts = [(run) => answers.push(run.restart())];
    expect(await rig.run({ 'restart-strategy.type': 'none' })).toEqual({ type: 'finished' });
    expect(answers).toEqual([true]);
    expect(rig.seen).toEqual(['submitted: attempt 1 at 1', 'rescaled: attempt 2 at 1']);
  });
});
