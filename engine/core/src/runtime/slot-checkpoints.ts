/**
 * The part of a slot in checkpoints: begins a task's snapshot at its barrier, serialises running ones in slices, hands them over, and
 * confirms or gives up what the coordinator says.
 *
 *     barrier ─▶ running ─step…─▶ finishing ─▶ acknowledged ─▶ complete: confirmed, sinks commit
 *                   └───────────────┴──────────────┴─ abort: its changes are in the next one
 *
 * Invariants: 1. a snapshot is acknowledged once, after everything it names is durable; 2. deltas are relative to the last checkpoint
 * that is known to be complete, never to a savepoint.
 */
import type { CheckpointKind } from '../checkpoint/metadata.js';
import {
  EMPTY_OPERATOR_SNAPSHOT,
  INLINE_STATE_BYTES_MAX,
  type KeyedStateFile,
  type OperatorSubtaskSnapshot,
  watermarkRuns,
} from '../checkpoint/snapshot.js';
import type { Clock } from '../common/clock.js';
import { chainFailure } from './chain-failure.js';
import { describeFailure } from './failure-description.js';
import { LateStateFile } from './late-state-file.js';
import { encodeValue } from './operator-state.js';
import type { FromSlot } from './slot-messages.js';
import { type ChannelPart, type KeyedPart, type OperatorPart, SnapshotWriter, type StateFileWriter } from './snapshot-writer.js';
import type { Task } from './task.js';
import type { BuiltTask } from './task-builder.js';
import type { TaskOperator } from './task-operator.js';
import type { Barrier, InFlightElements } from './task-options.js';

/** Rows serialised between two looks at the clock. */
const SLICE_ROWS = 500;
/** How long a turn may serialise, ms: short against a turn's work, so that records go on. */
const SLICE_MS = 2;

/** What is in a state file. */
export type StatePart = 'keyed' | 'state' | 'channels';

/** Makes the writer of a state file of an operator. `part` and `savepoint`: see `StateFileId`. */
export type CreateStateFile = (
  task: Task,
  operatorId: string,
  epoch: number,
  part: StatePart,
  savepoint: string | undefined,
) => StateFileWriter;

export interface SlotCheckpointsOptions {
  readonly clock: Clock;
  readonly send: (message: FromSlot) => void;
  /** Undefined: nothing is stored. */
  readonly stateFile: CreateStateFile | undefined;
  readonly taskFailed: (task: Task, error: unknown) => void;
  readonly fail: (error: unknown) => void;
}

interface TaskSnapshots {
  readonly built: BuiltTask;
  /** The chain of the last checkpoint that is known to be complete, per keyed operator. */
  readonly confirmed: Map<string, readonly KeyedStateFile[]>;
  /** Chains of acknowledged epochs that may still complete. */
  readonly acknowledged: Map<number, Map<string, readonly KeyedStateFile[]>>;
  running: SnapshotWriter | undefined;
  /** Serialised, being made durable. */
  readonly finishing: Set<SnapshotWriter>;
}

export class SlotCheckpoints {
  private readonly options: SlotCheckpointsOptions;
  private readonly tasks: TaskSnapshots[] = [];
  /** Epochs up to this one that are not complete were given up: their barriers are passed on without a snapshot. */
  private abortedEpoch = 0;
  /** Where savepoints go, by epoch; asked for or told, whichever comes first. */
  private readonly savepoints = new Map<number, PromiseWithResolvers<string | undefined>>();
  /** Commits that have not ended. */
  private readonly committing = new Set<Promise<unknown>>();

  constructor(options: SlotCheckpointsOptions) {
    this.options = options;
  }

  add(built: BuiltTask): void {
    this.tasks.push({ built, confirmed: new Map(), acknowledged: new Map(), running: undefined, finishing: new Set() });
  }

  /** The coordinator has triggered a savepoint that goes to this directory; undefined: beside the checkpoints. */
  savepointTo(epoch: number, directory: string | undefined): void {
    this.savepoint(epoch).resolve(directory);
  }

  private savepoint(epoch: number): PromiseWithResolvers<string | undefined> {
    let place = this.savepoints.get(epoch);
    if (place === undefined) {
      place = Promise.withResolvers<string | undefined>();
      this.savepoints.set(epoch, place);
    }
    return place;
  }

  private createFile(task: Task, operatorId: string, { epoch, savepoint }: Barrier, part: StatePart): StateFileWriter {
    const create = this.options.stateFile as CreateStateFile;
    if (savepoint !== true) return create(task, operatorId, epoch, part, undefined);
    return new LateStateFile(this.savepoint(epoch).promise.then((directory) => create(task, operatorId, epoch, part, directory)));
  }

  /** Called by a task between two elements: begins its snapshot. */
  barrier(task: Task, barrier: Barrier, inFlight: Promise<InFlightElements> | undefined): void {
    if (barrier.epoch <= this.abortedEpoch) return;
    const entry = this.tasks.find(({ built }) => built.task === task) as TaskSnapshots;
    if (entry.running !== undefined) {
      void entry.running.abort();
      entry.running = undefined;
    }
    // The barrier came through a ring, and may be here before the message that its predecessor is complete.
    this.confirm(entry, barrier.completed);
    const keyed: KeyedPart[] = [];
    const operators: OperatorPart[] = [];
    for (const operator of task.operators) {
      try {
        operators.push(this.operatorPart(entry, operator, barrier));
        if (operator.keyed !== undefined && this.options.stateFile !== undefined) keyed.push(this.keyedPart(entry, operator, barrier));
      } catch (error) {
        throw chainFailure(operator.index, -1, error);
      }
    }
    const channels = inFlight === undefined ? undefined : this.channelPart(task, barrier, inFlight);
    entry.running = new SnapshotWriter(barrier.epoch, keyed, operators, channels);
  }

  private operatorPart(entry: TaskSnapshots, operator: TaskOperator, barrier: Barrier): OperatorPart {
    const { epoch } = barrier;
    operator.operator?.snapshotState?.(epoch);
    const committables = operator.operator?.prepareCommit?.(epoch) as Promise<readonly Uint8Array[]> | undefined;
    // An unhandled rejection must not end the process; `finish` reports it.
    committables?.catch(() => undefined);
    const state = operator.states.encode();
    const isInline = state === undefined || this.options.stateFile === undefined || state.length <= INLINE_STATE_BYTES_MAX;
    const stateFile = isInline ? undefined : this.createFile(entry.built.task, operator.node.id, barrier, 'state');
    if (!isInline) stateFile?.write(state);
    const snapshot = this.operatorSnapshot(entry, operator);
    return {
      operatorId: operator.node.id,
      snapshot: isInline && state !== undefined ? { ...snapshot, operatorState: { inline: state } } : snapshot,
      stateFile,
      committables,
    };
  }

  /** What was on its way is written when all of it is there; it is named by the first operator. */
  private channelPart(task: Task, barrier: Barrier, inFlight: Promise<InFlightElements>): ChannelPart {
    const operatorId = (task.operators[0] as TaskOperator).node.id;
    const create = this.options.stateFile === undefined ? undefined : () => this.createFile(task, operatorId, barrier, 'channels');
    return { operatorId, state: inFlight, create };
  }

  private keyedPart(entry: TaskSnapshots, operator: TaskOperator, barrier: Barrier): KeyedPart {
    const backend = operator.keyed as NonNullable<TaskOperator['keyed']>;
    const { epoch, completed, savepoint = false } = barrier;
    const file = this.createFile(entry.built.task, operator.node.id, barrier, 'keyed');
    const snapshot = backend.startSnapshot(epoch, completed, file, savepoint);
    return { operatorId: operator.node.id, backend, snapshot, file, before: entry.confirmed.get(operator.node.id) ?? [] };
  }

  /** Without operator state. */
  private operatorSnapshot(entry: TaskSnapshots, operator: TaskOperator): OperatorSubtaskSnapshot {
    const { task, source } = entry.built;
    const head = operator.index === 0;
    return {
      ...EMPTY_OPERATOR_SNAPSHOT,
      finished: task.ended,
      watermark: operator.watermarkDone,
      keyGroupWatermarks:
        operator.keyed === undefined
          ? []
          : watermarkRuns(operator.keyed.keyGroupRange, operator.watermarkDone, operator.restored?.watermarks),
      splits:
        head && source !== undefined ? source.snapshot().map(({ split, watermark }) => ({ split: encodeValue(split), watermark })) : [],
    };
  }

  /** Serialises a slice of what is running; false if there is nothing to do, or a task has failed. */
  step(): boolean {
    let working = false;
    const end = this.options.clock.monotonic() + SLICE_MS;
    for (const entry of this.tasks) {
      const { running } = entry;
      if (running === undefined) continue;
      working = true;
      let done = false;
      try {
        do done = running.step(SLICE_ROWS);
        while (!done && this.options.clock.monotonic() < end);
      } catch (error) {
        this.options.taskFailed(entry.built.task, error);
        return false;
      }
      if (!done) continue;
      entry.running = undefined;
      void this.acknowledge(entry, running);
    }
    return working;
  }

  private async acknowledge(entry: TaskSnapshots, running: SnapshotWriter): Promise<void> {
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
      if (running.outputLost) this.options.taskFailed(entry.built.task, error);
      const reason = error instanceof Error ? error.message : String(error);
      this.options.send({ type: 'declined', epoch: running.epoch, vertexId, subtask: subtaskIndex, reason });
    } finally {
      entry.finishing.delete(running);
    }
  }

  /** Sinks commit what it covers. A savepoint is not what the next delta follows, whatever becomes of it later: it is the user's. */
  complete(epoch: number, kind: CheckpointKind): void {
    this.savepoints.delete(epoch);
    const work: Promise<void>[] = [];
    for (const entry of this.tasks) {
      if (kind === 'checkpoint') this.confirm(entry, epoch);
      for (const known of entry.acknowledged.keys()) if (known <= epoch) entry.acknowledged.delete(known);
      for (const operator of entry.built.task.operators) work.push(this.notifyComplete(entry.built.task, operator, epoch));
    }
    const committed = Promise.all(work).then(
      () => this.options.send({ type: 'committed', epoch }),
      (error: unknown) => this.options.fail(error),
    );
    this.committing.add(committed);
    void committed.then(() => this.committing.delete(committed));
  }

  /** A checkpoint is what deltas follow from now on. */
  private confirm(entry: TaskSnapshots, epoch: number): void {
    const chains = entry.acknowledged.get(epoch);
    if (chains === undefined) return;
    entry.acknowledged.delete(epoch);
    for (const [operatorId, chain] of chains) entry.confirmed.set(operatorId, chain);
    for (const operator of entry.built.task.operators) operator.keyed?.confirm(epoch);
  }

  private async notifyComplete(task: Task, operator: TaskOperator, epoch: number): Promise<void> {
    try {
      await operator.operator?.notifyCheckpointComplete?.(epoch);
    } catch (error) {
      throw describeFailure(task, chainFailure(operator.index, -1, error)).error;
    }
  }

  abort(epoch: number): void {
    this.abortedEpoch = Math.max(this.abortedEpoch, epoch);
    this.savepoints.delete(epoch);
    for (const entry of this.tasks) {
      const unfinished = entry.running?.epoch === epoch ? entry.running : [...entry.finishing].find((writer) => writer.epoch === epoch);
      if (entry.running === unfinished) entry.running = undefined;
      if (unfinished !== undefined) void unfinished.abort().catch(() => undefined);
      else if (entry.acknowledged.delete(epoch)) {
        for (const operator of entry.built.task.operators) operator.keyed?.abort(epoch);
      }
    }
  }

  /** The slot closes: gives up what was not acknowledged, and lets commits end. Afterwards nothing of it is written any more. */
  async close(): Promise<void> {
    const unfinished = this.tasks.flatMap(({ running, finishing }) => [...(running === undefined ? [] : [running]), ...finishing]);
    for (const entry of this.tasks) entry.running = undefined;
    await Promise.allSettled([...unfinished.map((writer) => writer.abort()), ...this.committing]);
  }
}
