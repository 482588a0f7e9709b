/** What operators of user functions share, keyed or not: the function's `open` and `close`. */
import type { Operator, OperatorContext } from './operator.js';
import { OperatorRuntimeContext, type RuntimeContext } from './runtime-context.js';

/** A user's function with a beginning and an end in each subtask. */
export interface RichFunction {
  open?(context: RuntimeContext): Promise<void> | void;
  close?(): Promise<void> | void;
}

export abstract class FunctionOperator<F extends RichFunction> implements Operator {
  protected readonly fn: F;
  protected readonly context: OperatorContext;

  constructor(context: OperatorContext, fn: F) {
    this.context = context;
    this.fn = fn;
  }

  open(): Promise<void> | void {
    return this.fn.open?.(new OperatorRuntimeContext(this.context));
  }

  close(): Promise<void> | void {
    return this.fn.close?.();
  }
}
