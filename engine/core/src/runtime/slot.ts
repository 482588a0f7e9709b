/**
 * A slot: one event loop that runs one subtask of each vertex of a slot-sharing group. Driven in turns: by a worker thread's loop, or by
 * a simulation.
 *
 *     turn:  each task up to 5 ms ─▶ flush what has waited long enough ─▶ serialise a slice of running snapshots
 *
 * Invariants: 1. messages are handled between turns only; 2. after a failure or cancel no task runs again; 3. a snapshot is acknowledged
 * once, after everything it names is durable.
 */

import { EMPTY_OPERATOR_SNAPSHOT, type KeyedStateFile, type OperatorSubtaskSnapshot, watermarkRuns } from '../checkpoint/snapshot.js';
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { SourceSplit } from '../connector/source.js';
import { chainFailure } from './chain-failure.js';
import { describeFailure } from './failure-description.js';
import { decodeValue, encodeValue } from './operator-state.js';
import { serializeError } from './serialize-error.js';
import type { FromSlot, RecordPosition, TaskMetrics, ToSlot } from './slot-messages.js';
import { type KeyedPart, type OperatorPart, SnapshotWriter, type StateFileWriter } from './snapshot-writer.js';
import type { Task } from './task.js';
import type { BuiltTask } from './task-builder.js';
import type { TaskOperator } from './task-operator.js';
import type { Barrier } from './task-options.js';

/** Rows serialised between two looks at the clock. */
const SLICE_ROWS = 500;
/** How long a turn may serialise, ms: short against a turn's work, so that records go on. */
const SLICE_MS = 2;

export interface SlotOptions {
  readonly clock: Clock;
  readonly send: (message: FromSlot) => void;
  /** Makes the writer of a state file; undefined: nothing is stored. */
  readonly stateFile: ((task: Task, operatorId: string, epoch: number) => StateFileWriter) | undefined;
  readonly wake: () => void;
}

interface TaskEntry {
  readonly built: BuiltTask;
  /** The chain of the last checkpoint that is known to be complete, per keyed operator. */
  readonly confirmed: Map<string, readonly KeyedStateFile[]>;
  /** Chains of acknowledged epochs that may still complete. */
  readonly acknowledged: Map<number, Map<string, readonly KeyedStateFile[]>>;
  running: SnapshotWriter | undefined;
  /** Serialised, being made durable. */
  readonly finishing: Set<SnapshotWriter>;
}

export class Slot {
  private readonly options: SlotOptions;
  private readonly entries: TaskEntry[] = [];
  private started = false;
  private stopped = false;
  /** Whether the epoch being taken is stored (false: a final commit without a checkpoint directory). */
  private storing = true;
  /** Epochs up to this one that are not complete were given up: their barriers are passed on without a snapshot. */
  private abortedEpoch = 0;

  constructor(options: SlotOptions) {
    this.options = options;
  }

  add(built: BuiltTask): void {
    this.entries.push({ built, confirmed: new Map(), acknowledged: new Map(), running: undefined, finishing: new Set() });
  }

  async open(): Promise<void> {
    for (const { built } of this.entries) {
      try {
        await built.open();
      } catch (error) {
        throw describeFailure(built.task, error).error;
      }
    }
  }

  /** Closes everything, whatever fails, then throws the first failure. */
  async close(): Promise<void> {
    this.stopped = true;
    const failures: unknown[] = [];
    for (const { built } of this.entries) {
      try {
        await built.close();
      } catch (error) {
        failures.push(describeFailure(built.task, error).error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /** Runs every task once. True if any of them did something. */
  turn(): boolean {
    if (!this.started || this.stopped) return false;
    let ran = false;
    for (const entry of this.entries) {
      try {
        if (entry.built.task.run() === 'ran') ran = true;
      } catch (error) {
        this.taskFailed(entry.built.task, error);
        return false;
      }
    }
    if (!this.flushDue()) return false;
    if (this.stepSnapshots()) ran = true;
    return ran;
  }

  /** When the slot wants its next turn though nothing wakes it: ms from now, Infinity for never. */
  nextTurnIn(): number {
    const now = this.options.clock.monotonic();
    let wait = Number.POSITIVE_INFINITY;
    for (const { built } of this.entries) {
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
    for (const { built } of this.entries) {
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
        for (const { built } of this.entries) built.source?.start();
        break;
      case 'assign':
        this.entry(message.vertexId, message.subtask).built.source?.addSplits(
          message.splits.map((bytes) => decodeValue(bytes) as SourceSplit),
          message.watermarks,
        );
        break;
      case 'noMoreSplits':
        this.entry(message.vertexId, message.subtask).built.source?.noMoreSplits();
        break;
      case 'align':
        for (const { built } of this.entries)
          if (built.task.options.vertexId === message.vertexId) built.source?.align(message.maxWatermark);
        break;
      case 'trigger':
        this.storing = message.store;
        for (const { built } of this.entries) {
          if (built.source !== undefined) built.task.trigger({ epoch: message.epoch, completed: message.completed });
        }
        break;
      case 'complete':
        this.complete(message.epoch);
        break;
      case 'abort':
        this.abort(message.epoch);
        break;
      case 'cancel':
        this.stopped = true;
        break;
      case 'deploy':
        throw new MillstreamError('INTERNAL', 'A slot was deployed twice. This is a defect of Millstream; please report it.');
    }
  }

  private entry(vertexId: string, subtask: number): TaskEntry {
    const found = this.entries.find(({ built }) => built.task.options.vertexId === vertexId && built.task.options.subtaskIndex === subtask);
    if (found === undefined)
      throw new MillstreamError(
        'INTERNAL',
        `No subtask ${subtask} of '${vertexId}' in this slot. This is a defect of Millstream; please report it.`,
      );
    return found;
  }

  // ---- checkpoints

  /** Called by a task between two elements: begins its snapshot. */
  barrier(task: Task, barrier: Barrier): void {
    if (barrier.epoch <= this.abortedEpoch) return;
    const entry = this.entry(task.options.vertexId, task.options.subtaskIndex);
    if (entry.running !== undefined) {
      void entry.running.abort();
      entry.running = undefined;
    }
    const keyed: KeyedPart[] = [];
    const operators: OperatorPart[] = [];
    for (const operator of task.operators) {
      try {
        operators.push(this.operatorPart(entry, operator, barrier));
        if (operator.keyed !== undefined && this.storing) keyed.push(this.keyedPart(entry, operator, barrier));
      } catch (error) {
        throw chainFailure(operator.index, -1, error);
      }
    }
    entry.running = new SnapshotWriter(barrier.epoch, keyed, operators);
  }

  private operatorPart(entry: TaskEntry, operator: TaskOperator, barrier: Barrier): OperatorPart {
    operator.operator?.snapshotState?.(barrier.epoch);
    const committables = operator.operator?.prepareCommit?.(barrier.epoch) as Promise<readonly Uint8Array[]> | undefined;
    // An unhandled rejection must not end the process; `finish` reports it.
    committables?.catch(() => undefined);
    return { operatorId: operator.node.id, snapshot: this.operatorSnapshot(entry, operator), committables };
  }

  private keyedPart(entry: TaskEntry, operator: TaskOperator, barrier: Barrier): KeyedPart {
    const backend = operator.keyed as NonNullable<TaskOperator['keyed']>;
    const make = this.options.stateFile as NonNullable<SlotOptions['stateFile']>;
    const file = make(entry.built.task, operator.node.id, barrier.epoch);
    const snapshot = backend.startSnapshot(barrier.epoch, barrier.completed, file);
    return { operatorId: operator.node.id, backend, snapshot, file, before: entry.confirmed.get(operator.node.id) ?? [] };
  }

  private operatorSnapshot(entry: TaskEntry, operator: TaskOperator): OperatorSubtaskSnapshot {
    const { task, source } = entry.built;
    const state = operator.states.encode();
    const head = operator.index === 0;
    return {
      ...EMPTY_OPERATOR_SNAPSHOT,
      finished: task.ended,
      watermark: operator.watermarkDone,
      keyGroupWatermarks:
        operator.keyed === undefined
          ? []
          : watermarkRuns(operator.keyed.keyGroupRange, operator.watermarkDone, operator.restored?.watermarks),
      operatorState: state === undefined ? undefined : { inline: state },
      splits:
        head && source !== undefined ? source.snapshot().map(({ split, watermark }) => ({ split: encodeValue(split), watermark })) : [],
    };
  }

  private stepSnapshots(): boolean {
    let working = false;
    const end = this.options.clock.monotonic() + SLICE_MS;
    for (const entry of this.entries) {
      const { running } = entry;
      if (running === undefined) continue;
      working = true;
      let done = false;
      try {
        do done = running.step(SLICE_ROWS);
        while (!done && this.options.clock.monotonic() < end);
      } catch (error) {
        this.taskFailed(entry.built.task, error);
        return false;
      }
      if (!done) continue;
      entry.running = undefined;
      void this.acknowledge(entry, running);
    }
    return working;
  }

  private async acknowledge(entry: TaskEntry, running: SnapshotWriter): Promise<void> {
    const { vertexId, subtaskIndex } = entry.built.task.options;
    entry.finishing.add(running);
    try {
      const result = await running.finish();
      if (running.isAborted) return;
      entry.acknowledged.set(running.epoch, result.chains);
      const { operators, writtenBytes } = result;
      this.options.send({ type: 'acknowledged', snapshot: { epoch: running.epoch, vertexId, subtaskIndex, operators, writtenBytes } });
    } catch (error) {
      // Files that are gone because the epoch was given up are no news; lost output is.
      if (running.isAborted && !running.outputLost) return;
      await running.abort().catch(() => undefined);
      if (running.outputLost) this.taskFailed(entry.built.task, error);
      const reason = error instanceof Error ? error.message : String(error);
      this.options.send({ type: 'declined', epoch: running.epoch, vertexId, subtask: subtaskIndex, reason });
    } finally {
      entry.finishing.delete(running);
    }
  }

  private complete(epoch: number): void {
    const work: Promise<void>[] = [];
    for (const entry of this.entries) {
      const chains = entry.acknowledged.get(epoch);
      for (const [operatorId, chain] of chains ?? []) entry.confirmed.set(operatorId, chain);
      for (const known of entry.acknowledged.keys()) if (known <= epoch) entry.acknowledged.delete(known);
      for (const operator of entry.built.task.operators) {
        if (chains !== undefined) operator.keyed?.confirm(epoch);
        work.push(this.notifyComplete(entry.built.task, operator, epoch));
      }
    }
    Promise.all(work).then(
      () => this.options.send({ type: 'committed', epoch }),
      (error: unknown) => this.fail(error, undefined),
    );
  }

  private async notifyComplete(task: Task, operator: TaskOperator, epoch: number): Promise<void> {
    try {
      await operator.operator?.notifyCheckpointComplete?.(epoch);
    } catch (error) {
      throw describeFailure(task, chainFailure(operator.index, -1, error)).error;
    }
  }

  private abort(epoch: number): void {
    this.abortedEpoch = Math.max(this.abortedEpoch, epoch);
    for (const entry of this.entries) {
      const unfinished = entry.running?.epoch === epoch ? entry.running : [...entry.finishing].find((writer) => writer.epoch === epoch);
      if (entry.running === unfinished) entry.running = undefined;
      if (unfinished !== undefined) void unfinished.abort().catch(() => undefined);
      else if (entry.acknowledged.delete(epoch)) {
        for (const operator of entry.built.task.operators) operator.keyed?.abort(epoch);
      }
    }
  }

  // ---- end and failure

  taskEnded(task: Task): void {
    this.options.send({ type: 'ended', vertexId: task.options.vertexId, subtask: task.options.subtaskIndex });
  }

  taskFailed(task: Task, error: unknown): void {
    const { error: described, position } = describeFailure(task, error);
    this.fail(described, position);
  }

  private fail(error: unknown, position: RecordPosition | undefined): void {
    if (this.stopped) return;
    this.stopped = true;
    this.options.send({ type: 'failed', error: serializeError(error), position });
    this.options.wake();
  }

  metrics(): TaskMetrics[] {
    return this.entries.map(({ built }) => {
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
    for (const { built } of this.entries) {
      const watermark = built.source?.watermarkDue(now);
      if (watermark === undefined) continue;
      due.push({ vertexId: built.task.options.vertexId, subtask: built.task.options.subtaskIndex, watermark });
    }
    return due;
  }
}
