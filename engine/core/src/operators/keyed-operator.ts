/** What keyed process operators share: the current key's time service and the calls of `onTimer`. */
import type { KeyedStateBackend } from '../state/backend.js';
import type { BroadcastStates } from './broadcast-state.js';
import { KeyedFunctionContext, type OnTimerContext } from './function-context.js';
import type { Budget, Collector, Operator, OperatorContext } from './operator.js';
import { rejectPromise } from './promise-check.js';
import { OperatorRuntimeContext, type RuntimeContext } from './runtime-context.js';
import { KeyedTimeService, type TimeDomain, type TimerHandler } from './time-service.js';

/** The parts that all keyed process functions have. */
export interface KeyedFunction {
  open?(context: RuntimeContext): Promise<void> | void;
  onTimer?(timestamp: number, ctx: OnTimerContext<unknown>, out: Collector<unknown>): void;
  close?(): Promise<void> | void;
}

export abstract class KeyedOperator<F extends KeyedFunction> implements Operator, TimerHandler {
  protected readonly fn: F;
  protected readonly context: OperatorContext;
  protected readonly backend: KeyedStateBackend;
  protected readonly time: KeyedTimeService;
  /** Context and collector of the user's function. */
  protected readonly call: KeyedFunctionContext<unknown, unknown>;

  constructor(context: OperatorContext, fn: F, states?: BroadcastStates) {
    this.context = context;
    this.fn = fn;
    this.backend = context.keyed;
    this.time = new KeyedTimeService(context, this);
    this.call = new KeyedFunctionContext(context, this.time, states);
  }

  open(): Promise<void> | void {
    this.time.open();
    return this.fn.open?.(new OperatorRuntimeContext(this.context));
  }

  onTimer(time: number, domain: TimeDomain): void {
    this.call.beginTimer(time, domain);
    const result: unknown = this.fn.onTimer?.(time, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'onTimer');
  }

  advanceEventTime(watermark: number, budget: Budget): boolean {
    return this.time.advanceEventTime(watermark, budget);
  }

  nextProcessingTime(): number {
    return this.time.nextProcessingTime;
  }

  advanceProcessingTime(now: number, budget: Budget): boolean {
    return this.time.advanceProcessingTime(now, budget);
  }

  close(): Promise<void> | void {
    return this.fn.close?.();
  }
}
