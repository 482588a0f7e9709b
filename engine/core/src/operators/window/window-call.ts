/** Calls a ProcessWindowFunction: its context, its collector, its current key. One object per operator. */
import type { Key } from '../../common/key.js';
import { SideOutputs } from '../function-context.js';
import type { KeyedWatermark } from '../keyed-watermark.js';
import type { Collector, OperatorContext } from '../operator.js';
import type { OutputTag } from '../output-tag.js';
import { rejectPromise } from '../promise-check.js';
import { type KeyedStateStore, OperatorRuntimeContext } from '../runtime-context.js';
import type { ProcessWindowContext, ProcessWindowFunction, Window } from './window.js';

export type AnyWindowFunction = ProcessWindowFunction<unknown, unknown, unknown, Window>;

export class WindowCall implements ProcessWindowContext<Window>, Collector<unknown> {
  private readonly fn: AnyWindowFunction;
  private readonly context: OperatorContext;
  private readonly watermark: KeyedWatermark;
  private readonly sides: SideOutputs;
  private readonly runtime: OperatorRuntimeContext;
  private current: Window | undefined;
  private timestamp: number = Number.NaN;

  constructor(fn: AnyWindowFunction, context: OperatorContext, watermark: KeyedWatermark) {
    this.fn = fn;
    this.context = context;
    this.watermark = watermark;
    this.sides = new SideOutputs(context);
    this.runtime = new OperatorRuntimeContext(context);
  }

  open(): Promise<void> | void {
    return this.fn.open?.(this.runtime);
  }

  close(): Promise<void> | void {
    return this.fn.close?.();
  }

  /** `timestamp`: what results get. */
  call(key: Key, window: Window, elements: readonly unknown[], timestamp: number): void {
    this.context.keyed.setCurrentKey(key);
    this.current = window;
    this.timestamp = timestamp;
    const result: unknown = this.fn.process(key, this, elements, this);
    if (result !== undefined) rejectPromise(result, this.context.name, 'process');
  }

  collect(value: unknown): void {
    this.context.output.collect(value, this.timestamp);
  }

  window(): Window {
    return this.current as Window;
  }

  currentProcessingTime(): number {
    return this.context.clock.now();
  }

  currentWatermark(): number {
    return this.watermark.of(this.context.keyed.currentKey());
  }

  globalState(): KeyedStateStore {
    return this.runtime;
  }

  output<X>(tag: OutputTag<X>, value: X): void {
    this.sides.collect(tag.id, value, this.timestamp);
  }
}
