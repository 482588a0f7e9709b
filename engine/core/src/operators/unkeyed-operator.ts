/** What process operators without a key share: time that can be read, and the context of the user's function. */
import type { BroadcastStates } from './broadcast-state.js';
import { FunctionContext } from './function-context.js';
import { FunctionOperator, type RichFunction } from './function-operator.js';
import type { OperatorContext } from './operator.js';
import { UnkeyedTimeService } from './time-service.js';

export abstract class UnkeyedOperator<F extends RichFunction> extends FunctionOperator<F> {
  protected readonly time: UnkeyedTimeService;
  /** Context and collector of the user's function. */
  protected readonly call: FunctionContext<unknown>;

  constructor(context: OperatorContext, fn: F, states?: BroadcastStates) {
    super(context, fn);
    this.time = new UnkeyedTimeService(context);
    this.call = new FunctionContext(context, this.time, states);
  }

  advanceEventTime(watermark: number): boolean {
    this.time.watermark = watermark;
    return true;
  }
}
