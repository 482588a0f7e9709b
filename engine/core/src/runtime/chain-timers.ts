/**
 * Fires the processing-time timers of a chain's operators, in order of the chain.
 *
 * Invariant: what was interrupted goes on with the same time, and no operator fires for a later one before.
 */
import type { Clock } from '../common/clock.js';
import type { ChainControl } from '../network/channel.js';
import type { Budget } from '../operators/operator.js';
import type { TaskOperator } from './task-operator.js';

export class ChainTimers {
  /** `fire` was interrupted. */
  interrupted = false;
  private readonly control: ChainControl;
  private readonly clock: Clock;
  private readonly calling: (operator: TaskOperator) => void;
  private firingAt = 0;

  /** `calling` hears which operator is about to be called, for errors. */
  constructor(control: ChainControl, clock: Clock, calling: (operator: TaskOperator) => void) {
    this.control = control;
    this.clock = clock;
    this.calling = calling;
  }

  /** Fires what is due; resumable. */
  fire(operators: readonly TaskOperator[], budget: Budget): boolean {
    if (!this.interrupted) {
      const now = this.clock.now();
      if (this.next(operators) > now) return true;
      this.interrupted = true;
      this.firingAt = now;
    }
    for (const operator of operators) {
      const implementation = operator.operator;
      if (implementation?.nextProcessingTime === undefined || implementation.nextProcessingTime() > this.firingAt) continue;
      this.calling(operator);
      if (this.control.stop || implementation.advanceProcessingTime?.(this.firingAt, budget) === false) return false;
    }
    this.interrupted = false;
    return true;
  }

  /** The next timer, ms since 1970; Infinity if there is none. */
  next(operators: readonly TaskOperator[]): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { operator } of operators) {
      const time = operator?.nextProcessingTime?.();
      if (time !== undefined && time < next) next = time;
    }
    return next;
  }
}
