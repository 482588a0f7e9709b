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
import { type ControlElement, RecordBatch } from '../network/element.js';
import type { Budget } from '../operators/operator.js';
import type { WatermarkValve } from '../time/watermark-valve.js';
import { chainFailure } from './chain-failure.js';
import { ChainTimers } from './chain-timers.js';
import { ChainWatermarks } from './chain-watermarks.js';
import type { ChannelCapture, InputGate } from './input-gate.js';
import { RecordStride } from './record-stride.js';
import type { SinkOperator } from './sink-operator.js';
import type { CombinedWatermark, SourceInput } from './source-input.js';
import { TaskBarriers } from './task-barriers.js';
import type { TaskHooks, TaskOperator } from './task-operator.js';
import type { Barrier, TaskOptions } from './task-options.js';
import { TaskTimes } from './task-times.js';

/** How long a turn of one task may last, ms. */
const TURN_MS = 5;
/**
 * A source emits its watermark every interval, and at the latest after this many records: a source that catches up passes seconds of
 * event time in a millisecond, and windows that could have fired would pile up (docs/decisions/0010).
 */
const WATERMARK_RECORDS = 16_384;
/** Of a channel's overflow: kept for what one more record emits when a source goes on though outputs are full. */
const OVERFLOW_RESERVE_BYTES = 1024 * 1024;

/** What a turn came to: 'ran' did something, 'idle' found nothing to do, 'blocked' waits for room in outputs, 'ended' has nothing left but barriers. */
export type TurnResult = 'ran' | 'idle' | 'blocked' | 'ended';

export class Task implements TaskHooks {
  readonly options: TaskOptions;
  operators: readonly TaskOperator[] = [];
  sinks: readonly SinkOperator[] = [];
  readonly times: TaskTimes;
  ended = false;
  private readonly budget: Budget;
  private deadline = 0;
  private suspends = 0;
  /** What is being run; of a source see `SourceInput.recordAt`. */
  batch: RecordBatch | undefined;
  private position = 0;
  private readonly stride: RecordStride;
  private readonly timers: ChainTimers;
  private readonly watermarks: ChainWatermarks;
  private finishing = false;
  private sourceEnded = false;
  private endedChannels = 0;
  private lastWatermarkAt = Number.NEGATIVE_INFINITY;
  private lastWatermarkRecords = 0;
  private readonly watermarkRecords: number;
  private readonly barriers: TaskBarriers;
  /** The source is to end now; its barrier waits for that. */
  private draining = false;
  private drainWanted = false;
  /** The last turn found no room in an output. */
  isBlocked = false;
  /** The operator that is called outside of the chain's batch functions, for errors; -1: none. */
  private active = -1;

  constructor(options: TaskOptions) {
    this.options = options;
    const { control, clock } = options;
    this.times = new TaskTimes(clock, options.activity);
    this.stride = new RecordStride(clock);
    this.barriers = new TaskBarriers(options);
    const calling = (operator: TaskOperator): void => {
      this.active = operator.index;
    };
    this.watermarks = new ChainWatermarks(control, calling);
    this.timers = new ChainTimers(control, clock, calling);
    if (options.finished) {
      this.sourceEnded = true;
      this.finishing = true;
    }
    this.watermarkRecords = options.source?.hasEventTime === true ? WATERMARK_RECORDS : Number.POSITIVE_INFINITY;
    let asked = 0;
    // The clock costs more than most of what is done between two questions.
    this.budget = { exhausted: () => control.stop || ((++asked & 15) === 0 && clock.monotonic() >= this.deadline) };
  }

  /** Does up to 5 ms of work. */
  run(): TurnResult {
    const { control } = this.options;
    this.deadline = this.times.count() + TURN_MS;
    const overtook = this.named(() => this.overtake());
    this.isBlocked = !this.drainOutputs();
    if (this.isBlocked) {
      this.times.blocked();
      this.times.setStalled(true);
      return overtook ? 'ran' : 'blocked';
    }
    control.stop = false;
    this.times.setStalled(this.isInputClosed());
    const result = this.named(() => this.turn(overtook));
    const isFull = control.stop && this.suspends === 0;
    this.times.turnEnded(isFull ? 'outputs' : result === 'ran' ? 'turn' : 'input');
    this.times.setStalled(isFull || this.isInputClosed());
    return result;
  }

  /** Input is not read though there may be some. */
  private isInputClosed(): boolean {
    return this.suspends > 0 || this.options.gate?.isAligning === true;
  }

  /** Failures of operators that are not called by the chain (timers, watermarks, end of input) get their operator here. */
  private named<T>(work: () => T): T {
    this.active = -1;
    try {
      return work();
    } catch (error) {
      throw this.active < 0 ? error : chainFailure(this.active, -1, error);
    }
  }

  private drainOutputs(): boolean {
    let free = true;
    for (const channel of this.options.channels) {
      try {
        if (!channel.drain()) free = false;
      } catch (error) {
        throw chainFailure(channel.producer, -1, error);
      }
    }
    return free;
  }

  private turn(overtook: boolean): TurnResult {
    let ran = overtook;
    while (!this.turnOver()) {
      if (!this.finishInterrupted()) return this.interrupted();
      if (this.answerTrigger()) ran = true;
      if (this.options.control.stop) break;
      if (this.ended) {
        if (!this.takeBarriersOnly()) return ran ? 'ran' : 'ended';
        ran = true;
        continue;
      }
      if (this.finishing) {
        // An operator may wait for long, and barriers must not.
        if (!this.finishOperators() && (this.turnOver() || !this.takeBarrier())) return this.interrupted();
        ran = true;
        continue;
      }
      if (!(this.suspends > 0 ? this.takeBarrier() : this.takeInput())) return ran ? 'ran' : 'idle';
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

  /**
   * Drains, timers and watermarks; false if one of them was interrupted again. What was interrupted goes on first: no other operator may
   * send records or watermarks into one that is in the middle of its firings.
   */
  private finishInterrupted(): boolean {
    if (this.timers.interrupted && !this.fireProcessingTime()) return false;
    if (this.watermarks.interrupted && !this.advanceWatermarks()) return false;
    if (this.drainWanted && !this.drain()) return false;
    if (!this.fireProcessingTime()) return false;
    return !this.watermarks.pending || this.advanceWatermarks();
  }

  private drain(): boolean {
    // Before the loop: an operator may ask again meanwhile, also for one that had its turn.
    this.drainWanted = false;
    for (const operator of this.operators) {
      if (!operator.drainWanted) continue;
      operator.drainWanted = false;
      this.active = operator.index;
      if (this.options.control.stop || operator.operator?.drain?.(this.budget) === false) {
        operator.drainWanted = true;
        this.drainWanted = true;
        return false;
      }
    }
    this.active = -1;
    return true;
  }

  private fireProcessingTime(): boolean {
    if (this.ended) return true;
    if (!this.timers.fire(this.operators, this.budget)) return false;
    this.active = -1;
    return true;
  }

  /** The next processing-time timer, ms since 1970; Infinity if there is none. After the end of data none fires. */
  nextTimer(): number {
    return this.ended ? Number.POSITIVE_INFINITY : this.timers.next(this.operators);
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
    const { chain } = this.options;
    const to = Math.min(batch.count, this.position + this.stride.records);
    this.stride.begin();
    this.position = chain.runBatch(batch.values, batch.timestamps, this.position, to, entry.input);
    this.stride.ended(this.deadline);
    if (this.position === batch.count) {
      this.batch = undefined;
      entry.channel.recycle(batch);
      for (const sink of this.sinks) sink.checkReady();
    }
  }

  private runSource(source: SourceInput): boolean {
    if (this.sourceEnded) return false;
    this.tickSource(source);
    if ((this.watermarks.pending && !this.advanceWatermarks()) || this.options.control.stop) return true;
    this.active = 0;
    // What is half run is finished; a batch that is polled is in the reader's position.
    const status =
      this.draining && !source.inBatch
        ? 'end'
        : source.run(this.options.control, this.deadline, this.barriers.triggered === undefined ? this.watermarkRecords : 0);
    this.active = -1;
    for (const sink of this.sinks) sink.checkReady();
    if (status === 'end') {
      this.sourceEnded = true;
      this.watermarks.watermarkTo(this.operators[0] as TaskOperator, Number.POSITIVE_INFINITY);
      this.finishing = true;
      return true;
    }
    return status === 'records';
  }

  private tickSource(source: SourceInput): void {
    const now = this.options.clock.monotonic();
    const records = this.options.recordsIn[0] as number;
    if (now - this.lastWatermarkAt < this.options.watermarkIntervalMs && records - this.lastWatermarkRecords < this.watermarkRecords)
      return;
    this.lastWatermarkAt = now;
    this.lastWatermarkRecords = records;
    const combined: CombinedWatermark = source.tick();
    const head = this.operators[0] as TaskOperator;
    this.watermarks.idleTo(head, combined.idle);
    this.watermarks.watermarkTo(head, combined.watermark);
  }

  /** A record of an idle source comes: it counts again before that record does, or receivers might pass its time meanwhile. */
  sourceActive(): void {
    this.watermarks.idleTo(this.operators[0] as TaskOperator, false);
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
        const aligned = gate.barrier(element, this.options.clock.monotonic());
        if (aligned !== undefined) this.barriers.triggered = aligned;
        return;
      }
    }
    this.watermarks.idleTo(head, valve.idle);
    this.watermarks.watermarkTo(head, valve.current);
  }

  private takeBarriersOnly(): boolean {
    const element = this.options.gate?.poll();
    if (element === undefined) return false;
    if (!(element instanceof RecordBatch) && element.type === 'barrier') this.takeControl(element);
    return true;
  }

  // ---- watermarks

  idleFrom(operator: TaskOperator, idle: boolean): void {
    this.watermarks.idleFrom(operator, idle);
  }

  watermarkFrom(operator: TaskOperator, watermark: number): void {
    this.watermarks.watermarkFrom(operator, watermark);
  }

  private advanceWatermarks(): boolean {
    if (!this.watermarks.advance(this.operators, this.budget)) return false;
    this.active = -1;
    return true;
  }

  // ---- end of data

  private finishOperators(): boolean {
    if (this.options.finished) this.watermarks.finish(this.operators);
    for (const operator of this.operators) {
      if (operator.finished || this.options.finished) continue;
      this.active = operator.index;
      if (this.options.control.stop || operator.operator?.finish?.(this.budget) === false) return false;
      operator.finished = true;
      // What it emitted last may have moved its followers' watermarks.
      if (operator.operator?.ownWatermarks === true) this.watermarkFrom(operator, Number.POSITIVE_INFINITY);
      if (this.watermarks.pending && !this.advanceWatermarks()) return false;
    }
    this.active = -1;
    this.finishing = false;
    this.ended = true;
    for (const channel of this.options.channels) channel.send({ type: 'end' });
    this.options.onEnd(this);
    return true;
  }

  // ---- barriers

  /** A source's barrier, from the coordinator. `drain`: the source ends before it, whatever it could still read. */
  trigger(barrier: Barrier, drain: boolean): void {
    this.barriers.triggered = barrier;
    if (drain) this.draining = true;
  }

  private answerTrigger(): boolean {
    if (this.barriers.triggered === undefined || this.options.source?.inBatch === true || this.options.control.stop) return false;
    if (this.draining && !this.ended) return false;
    this.barriers.answerTriggered(this);
    return true;
  }

  /** Suspended, no record is taken: but a barrier that is next, and what a source still needs for it. */
  private takeBarrier(): boolean {
    const { gate, source } = this.options;
    if (this.batch !== undefined) return false;
    if (source !== undefined) return this.barriers.triggered !== undefined && source.inBatch && this.runSource(source);
    const barrier = gate?.pollBarrier();
    if (barrier !== undefined) this.takeControl(barrier);
    return barrier !== undefined;
  }

  /** Lets a barrier overtake that has waited long enough, also while outputs are full. True if there was something to do. */
  private overtake(): boolean {
    const { gate, source, clock } = this.options;
    const now = clock.monotonic();
    gate?.listen(now);
    const wentOn = this.barriers.goOn(now);
    if (!this.barriers.mayOvertake(now) || this.timers.interrupted || this.draining) return wentOn;
    if (this.watermarks.pending) this.watermarks.passOn(this.operators);
    // A watermark that no operator has seen is still on its way; a source will give it again.
    if (this.watermarks.pending && !this.watermarks.isUnbegun(this.operators)) return wentOn;
    this.active = source === undefined ? -1 : 0;
    const batch = source?.inBatch === true ? source.finishBatch(this.options.control, this.deadline, this.hasOverflowRoom) : 'done';
    this.active = -1;
    if (batch !== 'done') return wentOn || batch === 'unfinished';
    if (this.barriers.triggered !== undefined) {
      this.barriers.answerTriggered(this);
      return true;
    }
    const captures: ChannelCapture[] = [];
    const rest = this.batch === undefined ? undefined : { batch: this.batch, from: this.position };
    const barrier = (gate as InputGate).overtake(this.pendingWatermark(), rest, captures);
    this.barriers.answer(this, barrier, captures);
    return true;
  }

  /** A combined watermark that no operator has seen; undefined if there is none. */
  private pendingWatermark(): number | undefined {
    const { watermarkIn, watermarkDone } = this.operators[0] as TaskOperator;
    return watermarkIn > watermarkDone ? watermarkIn : undefined;
  }

  /** What a source emits beyond its outputs' room must not become too much for one of them. */
  private readonly hasOverflowRoom = (): boolean =>
    this.options.channels.every(({ overflowRoom }) => overflowRoom > OVERFLOW_RESERVE_BYTES);

  /** When a barrier may overtake, ms from now; Infinity if none will. */
  overtakeIn(): number {
    return this.barriers.overtakeIn(this.options.clock.monotonic());
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
