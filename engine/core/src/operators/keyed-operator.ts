/** What keyed process operators share: the current key's time service and the calls of `onTimer`. */
import type { KeyedStateBackend } from '../state/backend.js';
import type { BroadcastStates } from './broadcast-state.js';
import { KeyedFunctionContext, type OnTimerContext } from './function-context.js';
import { FunctionOperator, type RichFunction } from './function-operator.js';
import type { Budget, Collector, OperatorContext } from './operator.js';
import { rejectPromise } from './promise-check.js';
import { KeyedTimeService, type TimeDomain, type TimerHandler } from './time-service.js';

/** The parts that all keyed process functions have. */
export interface KeyedFunction extends RichFunction {
  onTimer?(timestamp: number, ctx: OnTimerContext<unknown>, out: Collector<unknown>): void;
}

export abstract class KeyedOperator<F extends KeyedFunction> extends FunctionOperator<F> implements TimerHandler {
  protected readonly backend: KeyedStateBackend;
  protected readonly time: KeyedTimeService;
  /** Context and collector of the user's function. */
  protected readonly call: KeyedFunctionContext<unknown, unknown>;

  constructor(context: OperatorContext, fn: F, states?: BroadcastStates) {
    super(context, fn);
    this.backend = context.keyed;
    this.time = new KeyedTimeService(context, this);
    this.call = new KeyedFunctionContext(context, this.time, states);
  }

  override open(): Promise<void> | void {
    this.time.open();
    return super.open();
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
}
