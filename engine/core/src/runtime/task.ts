/**
 * One subtask of a vertex: runs its chain over its input, passes watermarks through its operators, aligns and answers barriers. It is
 * driven in turns by a slot (or a function, or a simulation) and never blocks.
 *
 *     turn:  finish what was interrupted ─▶ drain ─▶ timers ─▶ records … until nothing is there, outputs are full, or 5 ms have passed
 *
 * Invariants: 1. nothing is processed while an output has an overflow; 2. a barrier is answered only between elements, with no
 * interrupted work; 3. an operator sees a watermark after all records that came before it, and passes it on after what it fired;
 * 4. after the end of data only barriers are answered.
 */
import type { Clock } from '../common/clock.js';
import type { ChainControl, OutputChannel } from '../network/channel.js';
import { type ControlElement, RecordBatch } from '../network/element.js';
import type { Budget } from '../operators/operator.js';
import type { WatermarkValve } from '../time/watermark-valve.js';
import type { CompiledChain } from './chain.js';
import type { InputGate } from './input-gate.js';
import type { SinkOperator } from './sink-operator.js';
import type { CombinedWatermark, SourceInput } from './source-input.js';
import type { TaskHooks, TaskOperator } from './task-operator.js';

/** How long a turn of one task may last, ms. */
const TURN_MS = 5;
/** Records run at once before the clock is asked again. */
const STRIDE_MAX = 256;

/** What a turn came to: 'ran' did something, 'idle' found nothing to do, 'blocked' waits for room in outputs, 'ended' has nothing left but barriers. */
export type TurnResult = 'ran' | 'idle' | 'blocked' | 'ended';

export interface Barrier {
  readonly epoch: number;
  readonly completed: number;
}

export interface TaskOptions {
  readonly name: string;
  readonly vertexId: string;
  readonly subtaskIndex: number;
  readonly clock: Clock;
  readonly chain: CompiledChain;
  readonly control: ChainControl;
  readonly gate: InputGate | undefined;
  readonly valve: WatermarkValve | undefined;
  readonly source: SourceInput | undefined;
  /** Ms between two watermarks of a source. */
  readonly watermarkIntervalMs: number;
  /** Restored as finished: ends at once. */
  readonly finished: boolean;
  readonly channels: readonly OutputChannel[];
  /** All records of this subtask, for errors and metrics. */
  readonly recordsIn: Float64Array;
  /** Between two elements, with no interrupted work: make the snapshot. Outputs get the barrier after it returns. */
  readonly onBarrier: (task: Task, barrier: Barrier) => void;
  readonly onEnd: (task: Task) => void;
  readonly wakeSlot: () => void;
  readonly onFailure: (error: unknown) => void;
}

export class Task implements TaskHooks {
  readonly options: TaskOptions;
  operators: readonly TaskOperator[] = [];
  sinks: readonly SinkOperator[] = [];
  /** Busy, blocked and idle time, ms. */
  busyMs = 0;
  backPressuredMs = 0;
  ended = false;
  private readonly budget: Budget;
  private deadline = 0;
  private suspends = 0;
  private batch: RecordBatch | undefined;
  private position = 0;
  private stride = STRIDE_MAX;
  private timersDue = false;
  private timerNow = 0;
  private watermarksPending = false;
  private finishing = false;
  private sourceEnded = false;
  private endedChannels = 0;
  private lastWatermarkAt = Number.NEGATIVE_INFINITY;
  private triggered: Barrier | undefined;
  private drainWanted = false;
  private blocked = false;

  constructor(options: TaskOptions) {
    this.options = options;
    const { control, clock } = options;
    if (options.finished) {
      this.sourceEnded = true;
      this.finishing = true;
    }
    let asked = 0;
    // The clock costs more than most of what is done between two questions.
    this.budget = { exhausted: () => control.stop || ((++asked & 15) === 0 && clock.monotonic() >= this.deadline) };
  }

  /** Does up to 5 ms of work. */
  run(): TurnResult {
    const { clock, control } = this.options;
    const start = clock.monotonic();
    this.deadline = start + TURN_MS;
    this.blocked = !this.drainOutputs();
    if (this.blocked) return 'blocked';
    control.stop = false;
    const result = this.turn();
    this.busyMs += clock.monotonic() - start;
    return result;
  }

  get isBlocked(): boolean {
    return this.blocked;
  }

  private drainOutputs(): boolean {
    let free = true;
    for (const channel of this.options.channels) if (!channel.drain()) free = false;
    return free;
  }

  private turn(): TurnResult {
    let ran = false;
    while (!this.turnOver()) {
      if (!this.finishInterrupted()) return this.interrupted();
      if (this.answerTrigger()) ran = true;
      if (this.ended) {
        if (!this.takeBarriersOnly()) return ran ? 'ran' : 'ended';
        ran = true;
        continue;
      }
      if (this.finishing) {
        if (!this.finishOperators()) return this.interrupted();
        ran = true;
        continue;
      }
      if (this.suspends > 0) return ran ? 'ran' : 'idle';
      if (!this.takeInput()) return ran ? 'ran' : 'idle';
      ran = true;
    }
    return 'ran';
  }

  private turnOver(): boolean {
    const { control, clock } = this.options;
    return control.stop || clock.monotonic() >= this.deadline;
  }

  /** Interrupted by the budget there is more to do now; else an operator waits for something that will wake the task. */
  private interrupted(): TurnResult {
    return this.turnOver() ? 'ran' : 'idle';
  }

  /** Resumes drains, timers and watermarks, in this order; false if one of them was interrupted again. */
  private finishInterrupted(): boolean {
    if (this.drainWanted && !this.drain()) return false;
    if (!this.fireProcessingTime()) return false;
    return !this.watermarksPending || this.advanceWatermarks();
  }

  private drain(): boolean {
    for (const operator of this.operators) {
      if (!operator.drainWanted) continue;
      operator.drainWanted = false;
      if (operator.operator?.drain?.(this.budget) === false) {
        operator.drainWanted = true;
        return false;
      }
    }
    this.drainWanted = false;
    return true;
  }

  private fireProcessingTime(): boolean {
    if (this.ended) return true;
    if (!this.timersDue) {
      const now = this.options.clock.now();
      if (this.nextTimer() > now) return true;
      this.timersDue = true;
      this.timerNow = now;
    }
    for (const { operator } of this.operators) {
      if (operator?.nextProcessingTime === undefined || operator.nextProcessingTime() > this.timerNow) continue;
      if (operator.advanceProcessingTime?.(this.timerNow, this.budget) === false) return false;
    }
    this.timersDue = false;
    return true;
  }

  /** The next processing-time timer, ms since 1970; Infinity if there is none. */
  nextTimer(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { operator } of this.operators) {
      const time = operator?.nextProcessingTime?.();
      if (time !== undefined && time < next) next = time;
    }
    return next;
  }

  // ---- input

  private takeInput(): boolean {
    if (this.options.source !== undefined) return this.runSource(this.options.source);
    if (this.batch !== undefined) {
      this.runBatch();
      return true;
    }
    const element = this.options.gate?.poll();
    if (element === undefined) return false;
    if (element instanceof RecordBatch) {
      this.batch = element;
      this.position = 0;
      this.runBatch();
    } else this.takeControl(element);
    return true;
  }

  private runBatch(): void {
    const batch = this.batch as RecordBatch;
    const gate = this.options.gate as InputGate;
    const entry = gate.channels[gate.polled] as InputGate['channels'][number];
    const { clock, chain } = this.options;
    const to = Math.min(batch.count, this.position + this.stride);
    const before = this.stride < STRIDE_MAX ? clock.monotonic() : 0;
    this.position = chain.runBatch(batch.values, batch.timestamps, this.position, to, entry.input);
    this.adaptStride(before);
    if (this.position === batch.count) {
      this.batch = undefined;
      entry.channel.recycle(batch);
      for (const sink of this.sinks) sink.checkReady();
    }
  }

  /** Slow user functions: fewer records at once, so that a turn stays near its 5 ms. */
  private adaptStride(before: number): void {
    const now = this.options.clock.monotonic();
    if (before === 0) {
      if (now >= this.deadline) this.stride = 16;
      return;
    }
    const elapsed = now - before;
    if (elapsed > 2 && this.stride > 1) this.stride >>>= 1;
    else if (elapsed < 0.2) this.stride = Math.min(STRIDE_MAX, this.stride * 2);
  }

  private runSource(source: SourceInput): boolean {
    if (this.sourceEnded) return false;
    this.tickSource(source);
    if (this.watermarksPending && !this.advanceWatermarks()) return true;
    const status = source.run(this.options.control, this.deadline, this.triggered !== undefined);
    for (const sink of this.sinks) sink.checkReady();
    if (status === 'end') {
      this.sourceEnded = true;
      this.watermarkTo(this.operators[0] as TaskOperator, Number.POSITIVE_INFINITY);
      this.finishing = true;
      return true;
    }
    return status === 'records';
  }

  private tickSource(source: SourceInput): void {
    const now = this.options.clock.monotonic();
    if (now - this.lastWatermarkAt < this.options.watermarkIntervalMs) return;
    this.lastWatermarkAt = now;
    const combined: CombinedWatermark = source.tick(this.blocked);
    const head = this.operators[0] as TaskOperator;
    this.idleTo(head, combined.idle);
    this.watermarkTo(head, combined.watermark);
  }

  private takeControl(element: ControlElement): void {
    const gate = this.options.gate as InputGate;
    const valve = this.options.valve as WatermarkValve;
    const head = this.operators[0] as TaskOperator;
    switch (element.type) {
      case 'watermark':
        valve.inputWatermark(gate.polled, element.watermark);
        break;
      case 'idle':
        valve.inputIdle(gate.polled, element.idle);
        break;
      case 'end':
        valve.endOfInput(gate.polled);
        this.endedChannels++;
        if (this.endedChannels === gate.channels.length) this.finishing = true;
        break;
      case 'barrier': {
        const aligned = gate.barrier(element.epoch, element.completed);
        if (aligned !== undefined) this.triggered = aligned;
        return;
      }
    }
    this.idleTo(head, valve.idle);
    this.watermarkTo(head, valve.current);
  }

  private takeBarriersOnly(): boolean {
    const element = this.options.gate?.poll();
    if (element === undefined) return false;
    if (!(element instanceof RecordBatch)) {
      if (element.type === 'barrier') this.takeControl(element);
    }
    return true;
  }

  // ---- watermarks

  /** Gives a watermark to an operator of the chain; processed at the next opportunity, in order of the chain. */
  private watermarkTo(operator: TaskOperator, watermark: number): void {
    if (watermark <= operator.watermarkIn) return;
    operator.watermarkIn = watermark;
    this.watermarksPending = true;
  }

  private idleTo(operator: TaskOperator, idle: boolean): void {
    if (idle === operator.idleIn) return;
    operator.idleIn = idle;
    operator.operator?.setIdle?.(idle);
    if (operator.operator?.ownWatermarks !== true) this.idleFrom(operator, idle);
  }

  idleFrom(operator: TaskOperator, idle: boolean): void {
    if (idle === operator.idleOut) return;
    operator.idleOut = idle;
    operator.broadcast({ type: 'idle', idle });
    for (const follower of operator.followers) this.idleTo(follower, idle);
  }

  watermarkFrom(operator: TaskOperator, watermark: number): void {
    if (watermark <= operator.watermarkOut) return;
    operator.watermarkOut = watermark;
    operator.broadcast({ type: 'watermark', watermark });
    for (const follower of operator.followers) this.watermarkTo(follower, watermark);
  }

  private advanceWatermarks(): boolean {
    for (const operator of this.operators) {
      if (operator.watermarkIn <= operator.watermarkDone) continue;
      const watermark = operator.watermarkIn;
      if (operator.operator?.advanceEventTime?.(watermark, this.budget) === false) return false;
      operator.watermarkDone = watermark;
      if (operator.operator?.ownWatermarks !== true) this.watermarkFrom(operator, watermark);
      if (this.options.control.stop) return this.operators.every((each) => each.watermarkIn <= each.watermarkDone) && this.clearPending();
    }
    return this.clearPending();
  }

  private clearPending(): true {
    this.watermarksPending = false;
    return true;
  }

  // ---- end of data

  private finishOperators(): boolean {
    if (this.options.finished) this.passEndOn();
    for (const operator of this.operators) {
      if (operator.finished) continue;
      if (operator.operator?.finish?.(this.budget) === false) return false;
      operator.finished = true;
      // What it emitted last may have moved its followers' watermarks.
      if (operator.operator?.ownWatermarks === true) this.watermarkFrom(operator, Number.POSITIVE_INFINITY);
      if (this.watermarksPending && !this.advanceWatermarks()) return false;
    }
    this.finishing = false;
    this.ended = true;
    for (const channel of this.options.channels) channel.send({ type: 'end' });
    this.options.onEnd(this);
    return true;
  }

  /** A task that was restored as finished: followers need the last watermark, its operators have had it. */
  private passEndOn(): void {
    for (const operator of this.operators) {
      operator.watermarkIn = Number.POSITIVE_INFINITY;
      operator.watermarkDone = Number.POSITIVE_INFINITY;
      operator.finished = true;
      this.watermarkFrom(operator, Number.POSITIVE_INFINITY);
    }
    this.clearPending();
  }

  // ---- barriers

  /** A source's barrier, from the coordinator. */
  trigger(barrier: Barrier): void {
    this.triggered = barrier;
  }

  private answerTrigger(): boolean {
    const barrier = this.triggered;
    if (barrier === undefined || this.options.source?.inBatch === true || this.options.control.stop) return false;
    this.triggered = undefined;
    this.options.onBarrier(this, barrier);
    for (const channel of this.options.channels) channel.send({ type: 'barrier', epoch: barrier.epoch, completed: barrier.completed });
    return true;
  }

  // ---- outputs

  /** Sends partly filled batches. */
  flushOutputs(): void {
    for (const channel of this.options.channels) channel.flush();
  }

  wake(): void {
    this.drainWanted = true;
    this.options.wakeSlot();
  }

  suspended(change: 1 | -1): void {
    this.suspends += change;
    if (change === 1) this.options.control.stop = true;
    else this.options.wakeSlot();
  }

  fail(error: unknown): void {
    this.options.onFailure(error);
  }
}
