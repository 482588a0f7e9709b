/**
 * Takes watermarks and idleness through the operators of a chain, each after what it fires.
 *
 *     input ─▶ operator 0: fire ─▶ its edges and followers ─▶ operator 1: fire ─▶ …
 *
 * Invariants: 1. an operator passes a watermark on after what it fired; 2. idleness follows the watermark before it, activity goes ahead
 * of it: receivers ignore watermarks of idle channels; 3. what was interrupted goes on with the same watermark.
 */
import type { ChainControl } from '../network/channel.js';
import type { Budget } from '../operators/operator.js';
import type { TaskOperator } from './task-operator.js';

export class ChainWatermarks {
  /** An operator has a watermark or idleness to process. */
  pending = false;
  /** `advance` was interrupted. */
  interrupted = false;
  private readonly control: ChainControl;
  private readonly calling: (operator: TaskOperator) => void;

  /** `calling` hears which operator is about to be called, for errors. */
  constructor(control: ChainControl, calling: (operator: TaskOperator) => void) {
    this.control = control;
    this.calling = calling;
  }

  /** Gives a watermark to an operator; processed at the next opportunity, in order of the chain. */
  watermarkTo(operator: TaskOperator, watermark: number): void {
    if (watermark <= operator.watermarkIn) return;
    operator.watermarkIn = watermark;
    this.pending = true;
  }

  idleTo(operator: TaskOperator, idle: boolean): void {
    if (idle === operator.idleIn) return;
    operator.idleIn = idle;
    if (idle) this.pending = true;
    else this.settleIdle(operator);
  }

  private settleIdle(operator: TaskOperator): void {
    const { idleIn } = operator;
    if (idleIn === operator.idleDone) return;
    operator.idleDone = idleIn;
    operator.operator?.setIdle?.(idleIn);
    if (operator.operator?.ownWatermarks !== true) this.idleFrom(operator, idleIn);
  }

  /** An operator passes idleness on. */
  idleFrom(operator: TaskOperator, idle: boolean): void {
    if (idle === operator.idleOut) return;
    operator.idleOut = idle;
    operator.broadcast({ type: 'idle', idle });
    for (const follower of operator.followers) this.idleTo(follower, idle);
  }

  /** An operator passes a watermark on. */
  watermarkFrom(operator: TaskOperator, watermark: number): void {
    if (watermark <= operator.watermarkOut) return;
    operator.watermarkOut = watermark;
    operator.broadcast({ type: 'watermark', watermark });
    for (const follower of operator.followers) this.watermarkTo(follower, watermark);
  }

  /** Processes what is pending; resumable. */
  advance(operators: readonly TaskOperator[], budget: Budget): boolean {
    this.interrupted = true;
    for (const operator of operators) {
      if (isSettled(operator)) continue;
      this.calling(operator);
      const watermark = operator.watermarkIn;
      if (watermark > operator.watermarkDone) {
        if (operator.operator?.advanceEventTime?.(watermark, budget) === false) return false;
        operator.watermarkDone = watermark;
        if (operator.operator?.ownWatermarks !== true) this.watermarkFrom(operator, watermark);
      }
      this.settleIdle(operator);
      if (this.control.stop && !operators.every(isSettled)) return false;
    }
    this.pending = false;
    this.interrupted = false;
    return true;
  }

  /** Passes on what waits at operators that fire nothing, though outputs are full. Stops at the first that may. */
  passOn(operators: readonly TaskOperator[]): void {
    for (const operator of operators) {
      if (isSettled(operator)) continue;
      if (operator.operator?.advanceEventTime !== undefined) return;
      operator.watermarkDone = operator.watermarkIn;
      this.watermarkFrom(operator, operator.watermarkIn);
      this.settleIdle(operator);
    }
    this.pending = false;
    this.interrupted = false;
  }

  /** Nothing has begun of what is pending, and only the first operator has something to process. */
  isUnbegun(operators: readonly TaskOperator[]): boolean {
    return !this.interrupted && operators.every((operator, index) => index === 0 || isSettled(operator));
  }

  /** Operators that were restored as finished have had the last watermark; those behind them need it. */
  finish(operators: readonly TaskOperator[]): void {
    for (const operator of operators) {
      operator.watermarkIn = Number.POSITIVE_INFINITY;
      operator.watermarkDone = Number.POSITIVE_INFINITY;
      this.watermarkFrom(operator, Number.POSITIVE_INFINITY);
    }
    this.pending = false;
  }
}

/** Has processed its last watermark and idleness. */
function isSettled(operator: TaskOperator): boolean {
  return operator.watermarkIn <= operator.watermarkDone && operator.idleIn === operator.idleDone;
}
