/**
 * Runs the records of an operator with `onError` so that one whose function throws leaves nothing behind: its changes of state and timers
 * are taken back, its results are held until the function has returned, and dropped if it throws. Whoever sends such a record again, once
 * it is mended, counts nothing twice.
 *
 *     begin ─▶ processElement ─┬─ returned ─▶ keep ─▶ results go on
 *                              └─ threw ────▶ roll back, results dropped ─▶ onError
 *
 * Timers, and windows that fire by the time, are no record's: what they do and emit passes through.
 */
import { deepFreeze } from '../codec/value-check.js';
import type { Operator, Output } from '../operators/operator.js';
import { UndoLog } from '../state/undo-log.js';
import { chainFailure } from './chain-failure.js';

/** Holds what an operator emits while it processes a record. */
class HeldOutputs {
  holding = false;
  private readonly targets: Output<unknown>[] = [];
  private readonly values: unknown[] = [];
  private readonly timestamps: number[] = [];

  hold(target: Output<unknown>, value: unknown, timestamp: number): void {
    this.targets.push(target);
    this.values.push(value);
    this.timestamps.push(timestamp);
  }

  release(): void {
    this.holding = false;
    const { targets, values, timestamps } = this;
    for (let at = 0; at < targets.length; at++) (targets[at] as Output<unknown>).collect(values[at], timestamps[at] as number);
    this.drop();
  }

  drop(): void {
    this.holding = false;
    this.targets.length = 0;
    this.values.length = 0;
    this.timestamps.length = 0;
  }
}

/** The part of an operator that a chain calls. */
type ElementProcessor = Pick<Operator, 'processElement' | 'processElement2'>;

/** Recovery of one operator of one subtask. */
export class RecordRecovery {
  readonly undo: UndoLog = new UndoLog();
  private readonly held = new HeldOutputs();
  private readonly checked: boolean;

  /** `checked`: results are frozen when they are emitted, not when they go on. */
  constructor(checked: boolean) {
    this.checked = checked;
  }

  /** The output that the operator gets in place of `target`. */
  output(target: Output<unknown>): Output<unknown> {
    const { held, checked } = this;
    return {
      collect(value, timestamp) {
        if (!held.holding) {
          target.collect(value, timestamp);
          return;
        }
        if (checked) deepFreeze(value);
        held.hold(target, value, timestamp);
      },
    };
  }

  /** What the chain calls in place of the operator, which is its step `index`. */
  guard(operator: Operator, index: number): ElementProcessor {
    const guarded: ElementProcessor = {
      processElement: (value, timestamp) => {
        this.begin();
        try {
          operator.processElement?.(value, timestamp);
        } catch (error) {
          throw this.failed(error, index);
        }
        this.succeeded(index);
      },
    };
    if (operator.processElement2 !== undefined) {
      guarded.processElement2 = (value, timestamp) => {
        this.begin();
        try {
          operator.processElement2?.(value, timestamp);
        } catch (error) {
          throw this.failed(error, index);
        }
        this.succeeded(index);
      };
    }
    return guarded;
  }

  private begin(): void {
    this.undo.begin();
    this.held.holding = true;
  }

  /** Returns what to throw. A record that can neither be kept nor taken back fails the job: that is no error of the record. */
  private failed(error: unknown, index: number): unknown {
    this.held.drop();
    try {
      this.undo.rollBack();
    } catch (failure) {
      return chainFailure(index, -1, failure);
    }
    return error;
  }

  private succeeded(index: number): void {
    try {
      this.undo.keep();
    } catch (failure) {
      this.held.drop();
      throw chainFailure(index, -1, failure);
    }
    this.held.release();
  }
}
