/** What happens to elements that come after their windows are gone: the late side output, else they are dropped and counted. */
import type { OperatorContext, Output } from '../operator.js';

export class LateElements {
  private readonly context: OperatorContext;
  private readonly output: Output<unknown> | undefined;

  constructor(context: OperatorContext, tag: string | undefined) {
    this.context = context;
    this.output = tag === undefined ? undefined : context.side(tag);
  }

  drop(value: unknown, timestamp: number): void {
    if (this.output === undefined) this.context.counters.numLateRecordsDropped++;
    else this.output.collect(value, timestamp);
  }
}
