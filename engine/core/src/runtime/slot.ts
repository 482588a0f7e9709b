/**
 * A slot: one event loop that runs one subtask of each vertex of a slot-sharing group. Driven in turns: by a worker thread's loop, or by
 * a simulation.
 *
 *     turn:  each task up to 5 ms ─▶ flush what has waited long enough ─▶ serialise a slice of running snapshots
 *
 * Invariants: 1. messages are handled between turns only; 2. after a failure or cancel no task runs again. Its checkpoints:
 * slot-checkpoints.ts.
 */
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { SourceSplit } from '../connector/source.js';
import { chainFailure } from './chain-failure.js';
import { describeFailure } from './failure-description.js';
import { decodeValue } from './operator-state.js';
import { serializeError } from './serialize-error.js';
import { type CreateStateFile, SlotCheckpoints } from './slot-checkpoints.js';
import type { FromSlot, RecordPosition, TaskMetrics, ToSlot } from './slot-messages.js';
import type { Task } from './task.js';
import type { BuiltTask } from './task-builder.js';
import type { Barrier, InFlightElements } from './task-options.js';

export interface SlotOptions {
  readonly clock: Clock;
  readonly send: (message: FromSlot) => void;
  /** Makes the writer of a state file; undefined: nothing is stored. */
  readonly stateFile: CreateStateFile | undefined;
  readonly wake: () => void;
}

export class Slot {
  private readonly options: SlotOptions;
  private readonly tasks: BuiltTask[] = [];
  private readonly checkpoints: SlotCheckpoints;
  private started = false;
  private stopped = false;

  constructor(options: SlotOptions) {
    this.options = options;
    this.checkpoints = new SlotCheckpoints({
      clock: options.clock,
      send: options.send,
      stateFile: options.stateFile,
      taskFailed: (task, error) => this.taskFailed(task, error),
      fail: (error) => this.fail(error, undefined),
    });
  }

  add(built: BuiltTask): void {
    this.tasks.push(built);
    this.checkpoints.add(built);
  }

  async open(): Promise<void> {
    for (const built of this.tasks) {
      try {
        await built.open();
      } catch (error) {
        throw describeFailure(built.task, error).error;
      }
    }
  }

  /** Closes everything, whatever fails, and returns what failed. */
  async close(): Promise<readonly unknown[]> {
    this.stopped = true;
    await this.checkpoints.close();
    const failures: unknown[] = [];
    for (const built of this.tasks) {
      try {
        await built.close();
      } catch (error) {
        failures.push(describeFailure(built.task, error).error);
      }
    }
    return failures;
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /** Runs every task once. True if any of them did something. */
  turn(): boolean {
    if (!this.started || this.stopped) return false;
    let ran = false;
    for (const { task } of this.tasks) {
      try {
        if (task.run() === 'ran') ran = true;
      } catch (error) {
        this.taskFailed(task, error);
        return false;
      }
    }
    if (!this.flushDue()) return false;
    if (this.checkpoints.step()) ran = true;
    return ran;
  }

  /** When the slot wants its next turn though nothing wakes it: ms from now, Infinity for never. */
  nextTurnIn(): number {
    const now = this.options.clock.monotonic();
    let wait = Number.POSITIVE_INFINITY;
    for (const built of this.tasks) {
      wait = Math.min(wait, built.task.overtakeIn());
      // A task without room in its outputs does nothing at all: whoever makes room wakes the slot.
      if (!built.task.isBlocked) {
        wait = Math.min(wait, built.task.nextTimer() - this.options.clock.now());
        if (built.source !== undefined && !built.task.ended) wait = Math.min(wait, built.task.options.watermarkIntervalMs);
      }
      for (const group of built.flushGroups) {
        if (group.timeoutMs >= 0 && group.channels.some((channel) => channel.batch.count > 0)) {
          wait = Math.min(wait, group.lastFlush + group.timeoutMs - now);
        }
      }
    }
    return Math.max(0, wait);
  }

  private flushDue(): boolean {
    const now = this.options.clock.monotonic();
    for (const built of this.tasks) {
      for (const group of built.flushGroups) {
        if (group.timeoutMs < 0 || now - group.lastFlush < group.timeoutMs) continue;
        group.lastFlush = now;
        for (const channel of group.channels) {
          try {
            channel.flush();
          } catch (error) {
            this.taskFailed(built.task, chainFailure(channel.producer, -1, error));
            return false;
          }
        }
      }
    }
    return true;
  }

  // ---- messages

  handle(message: ToSlot): void {
    if (this.stopped) return;
    switch (message.type) {
      case 'start':
        this.started = true;
        for (const built of this.tasks) built.source?.start();
        break;
      case 'assign':
        this.builtTask(message.vertexId, message.subtask).source?.addSplits(
          message.splits.map((bytes) => decodeValue(bytes) as SourceSplit),
          message.watermarks,
        );
        break;
      case 'noMoreSplits':
        this.builtTask(message.vertexId, message.subtask).source?.noMoreSplits();
        break;
      case 'align':
        for (const built of this.tasks) if (built.task.options.vertexId === message.vertexId) built.source?.align(message.maxWatermark);
        break;
      case 'trigger': {
        const { epoch, completed, kind, savepoint, drain, overtakeAfterMs } = message;
        if (kind === 'savepoint') this.checkpoints.savepointTo(epoch, savepoint);
        const barrier: Barrier = {
          epoch,
          completed,
          ...(kind === 'savepoint' && { savepoint: true }),
          ...(overtakeAfterMs !== undefined && { overtakeAt: this.options.clock.monotonic() + overtakeAfterMs }),
        };
        for (const built of this.tasks) if (built.source !== undefined) built.task.trigger(barrier, drain);
        break;
      }
      case 'complete':
        this.checkpoints.complete(message.epoch, message.kind);
        break;
      case 'abort':
        this.checkpoints.abort(message.epoch);
        break;
      case 'cancel':
        this.stopped = true;
        break;
      case 'deploy':
        throw new MillstreamError('INTERNAL', 'A slot was deployed twice. This is a defect of Millstream; please report it.');
    }
  }

  private builtTask(vertexId: string, subtask: number): BuiltTask {
    const found = this.tasks.find(({ task }) => task.options.vertexId === vertexId && task.options.subtaskIndex === subtask);
    if (found === undefined)
      throw new MillstreamError(
        'INTERNAL',
        `No subtask ${subtask} of '${vertexId}' in this slot. This is a defect of Millstream; please report it.`,
      );
    return found;
  }

  /** Called by a task between two elements: begins its snapshot. */
  barrier(task: Task, barrier: Barrier, inFlight: Promise<InFlightElements> | undefined): void {
    this.checkpoints.barrier(task, barrier, inFlight);
  }

  // ---- end and failure

  taskEnded(task: Task): void {
    this.options.send({ type: 'ended', vertexId: task.options.vertexId, subtask: task.options.subtaskIndex });
  }

  taskFailed(task: Task, error: unknown): void {
    const { error: described, position } = describeFailure(task, error);
    this.fail(described, position, task);
  }

  private fail(error: unknown, position: RecordPosition | undefined, task?: Task): void {
    if (this.stopped) return;
    this.stopped = true;
    const subtask = task && { vertexId: task.options.vertexId, subtask: task.options.subtaskIndex };
    this.options.send({ type: 'failed', error: serializeError(error), position, task: subtask });
    this.options.wake();
  }

  metrics(): TaskMetrics[] {
    return this.tasks.map((built) => {
      const { task } = built;
      task.times.count();
      let late = 0;
      let errors = 0;
      let entries = 0;
      let bytes = 0;
      for (const operator of task.operators) {
        late += operator.counters.numLateRecordsDropped;
        errors += operator.counters.numRecordsInErrors;
        const size = operator.keyed?.size();
        entries += size?.entries ?? 0;
        bytes += size?.columnBytes ?? 0;
      }
      return {
        vertexId: task.options.vertexId,
        subtask: task.options.subtaskIndex,
        recordsIn: [...built.recordsIn],
        watermark: task.operators[0]?.watermarkDone ?? Number.NEGATIVE_INFINITY,
        busyMs: task.times.busyMs,
        backPressuredMs: task.times.backPressuredMs,
        idleMs: task.times.idleMs,
        lateRecordsDropped: late,
        recordsInErrors: errors,
        stateEntries: entries,
        stateColumnBytes: bytes,
      };
    });
  }

  /** The watermarks of sources that are aligned and have not been reported for their interval. */
  dueSourceWatermarks(): { readonly vertexId: string; readonly subtask: number; readonly watermark: number }[] {
    const now = this.options.clock.monotonic();
    const due: { vertexId: string; subtask: number; watermark: number }[] = [];
    for (const built of this.tasks) {
      const watermark = built.source?.watermarkDue(now);
      if (watermark === undefined) continue;
      due.push({ vertexId: built.task.options.vertexId, subtask: built.task.options.subtaskIndex, watermark });
    }
    return due;
  }
}
