/**
 * The chain without code generation: closures, three to four times slower. Behaves exactly as the generated chain (chain.test runs both).
 */
import type { Collector } from '../operators/operator.js';
import type { ChainSpec, ChainStep, CompiledChain, Consumers, ErrorHandler, SplitTime } from './chain.js';
import { chainFailure, promiseReturned } from './chain-failure.js';

type Consumer = (value: unknown, timestamp: number) => void;

export function interpretChain(spec: ChainSpec): CompiledChain {
  return new InterpretedChain(spec);
}

class InterpretedChain implements CompiledChain {
  private readonly spec: ChainSpec;
  private readonly outputs = new Map<string, { collect: Consumer }>();
  private readonly head: Consumer[] = [];
  private afterSource: Consumer = () => undefined;
  /** The step that runs now, for failures. */
  private at = 0;

  constructor(spec: ChainSpec) {
    this.spec = spec;
  }

  bind(): void {
    const { steps } = this.spec;
    steps.forEach((step, index) => {
      this.entry(index).collect = this.emitter(index, step.main);
      for (const [tag, consumers] of step.sides) this.entry(`${index}:${tag}`).collect = this.emitter(index, consumers);
    });
    const first = steps[0] as ChainStep;
    if (first.type === 'source') this.afterSource = this.consumers(0, first.main);
    else this.head.push(this.step(0, 0), this.step(0, 1));
  }

  output(index: number): { collect: Consumer } {
    return this.entry(index);
  }

  side(index: number, tag: string): { collect: Consumer } {
    return this.entry(`${index}:${tag}`);
  }

  private entry(name: string | number): { collect: Consumer } {
    const key = `${name}`;
    let output = this.outputs.get(key);
    if (output === undefined) {
      output = { collect: () => undefined };
      this.outputs.set(key, output);
    }
    return output;
  }

  /** An emitter that operators call: failures carry the step. */
  private emitter(index: number, consumers: Consumers): Consumer {
    const consume = this.consumers(index, consumers);
    const check = this.spec.checkEmitted;
    return (value, timestamp) => {
      this.at = index;
      try {
        check?.(value);
        consume(value, timestamp);
      } catch (error) {
        throw chainFailure(this.at, -1, error);
      }
    };
  }

  private consumers(index: number, consumers: Consumers): Consumer {
    const targets = consumers.operators.map((next) => this.step(next, 0));
    const { edges } = consumers;
    return (value, timestamp) => {
      for (const target of targets) target(value, timestamp);
      this.at = index;
      for (const edge of edges) edge.append(value, timestamp);
    };
  }

  private step(index: number, input: 0 | 1): Consumer {
    const run = this.plainStep(index, input);
    const { recordsIn } = this.spec;
    return (value, timestamp) => {
      recordsIn[index] = (recordsIn[index] as number) + 1;
      this.at = index;
      run(value, timestamp);
    };
  }

  private plainStep(index: number, input: 0 | 1): Consumer {
    const step = this.spec.steps[index] as ChainStep;
    if (step.type === 'source') throw new Error('a source is always the head');
    if (step.type === 'write') {
      const writer = step.write();
      return (value, timestamp) => writer.write(value, timestamp);
    }
    const handle = step.onError;
    if (step.type === 'operator') {
      const operator = step.operator();
      const process: Consumer =
        input === 0
          ? (value, timestamp) => operator.processElement?.(value, timestamp)
          : (value, timestamp) => operator.processElement2?.(value, timestamp);
      return guard(process, handle);
    }
    const rest = this.consumers(index, step.main);
    const check = this.spec.checkEmitted;
    if (step.type === 'flatMap' && handle !== undefined) return this.heldFlatMap(index, step.fn, handle);
    if (step.type === 'flatMap') {
      let time = Number.NaN;
      const out = this.entry(index);
      const collector = { collect: (value: unknown) => out.collect(value, time) };
      const { fn } = step;
      return (value, timestamp) => {
        time = timestamp;
        if ((fn(value, collector) as unknown) instanceof Promise) promiseReturned();
      };
    }
    const { fn } = step;
    const call = (value: unknown): unknown => {
      const result = fn(value) as unknown;
      if (result instanceof Promise) promiseReturned();
      return result;
    };
    const filter = step.type === 'filter';
    return (value, timestamp) => {
      let result: unknown;
      try {
        result = call(value);
      } catch (error) {
        if (handle === undefined) throw error;
        handle(error, value, timestamp);
        return;
      }
      if (!filter) check?.(result);
      if (filter && !result) return;
      rest(filter ? value : result, timestamp);
    };
  }

  /** With `onError` results wait until the function has returned, and are dropped if it throws. */
  private heldFlatMap(index: number, fn: (value: unknown, out: Collector<unknown>) => void, handle: ErrorHandler): Consumer {
    const out = this.entry(index);
    const held: unknown[] = [];
    const collector = { collect: (value: unknown) => void held.push(value) };
    return (value, timestamp) => {
      try {
        if ((fn(value, collector) as unknown) instanceof Promise) promiseReturned();
      } catch (error) {
        held.length = 0;
        handle(error, value, timestamp);
        return;
      }
      for (const each of held) out.collect(each, timestamp);
      held.length = 0;
    };
  }

  runBatch(values: readonly unknown[], timestamps: Float64Array, from: number, to: number, input: 0 | 1): number {
    const consume = this.head[input] as Consumer;
    let i = from;
    try {
      while (i < to) {
        consume(values[i], timestamps[i++] as number);
        if (this.spec.control.stop) break;
      }
    } catch (error) {
      throw chainFailure(this.at, i - 1, error);
    }
    return i;
  }

  runSourceBatch(values: readonly unknown[], timestamps: Float64Array | undefined, from: number, to: number, split: SplitTime): number {
    return this.runSource((i) => values[i], timestamps, from, to, 1, split);
  }

  runGenerated(generate: (index: number) => unknown, from: number, to: number, step: number, split: SplitTime): number {
    return this.runSource(generate, undefined, from, to, step, split);
  }

  private runSource(
    valueAt: (index: number) => unknown,
    timestamps: Float64Array | undefined,
    from: number,
    to: number,
    step: number,
    split: SplitTime,
  ): number {
    const head = this.spec.steps[0] as ChainStep & { type: 'source' };
    const { recordsIn, control, checkEmitted } = this.spec;
    let i = from;
    try {
      while (i < to) {
        this.at = 0;
        const index = i;
        i += step;
        const value = valueAt(index);
        let time = timestamps === undefined ? Number.NaN : (timestamps[index] as number);
        recordsIn[0] = (recordsIn[0] as number) + 1;
        checkEmitted?.(value);
        if (head.assign !== undefined) time = head.assign(value, time);
        if (head.eventTime) {
          if (time > split.maxTimestamp) split.maxTimestamp = time;
          split.onEvent?.(value, time);
        }
        this.afterSource(value, time);
        if (control.stop) break;
      }
    } catch (error) {
      throw chainFailure(this.at, i - step, error);
    }
    return i;
  }
}

function guard(process: Consumer, handle: ErrorHandler | undefined): Consumer {
  if (handle === undefined) return process;
  return (value, timestamp) => {
    try {
      process(value, timestamp);
    } catch (error) {
      handle(error, value, timestamp);
    }
  };
}
