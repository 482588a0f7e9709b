/** Sinks without a second phase: `printSink` writes lines for people to read, `discardingSink` drops everything. */
import { inspect } from 'node:util';
import { Availability } from './availability.js';
import type { Sink, SinkWriter, SinkWriterContext } from './sink.js';

/** A stream of text: `process.stdout`, or what stands for it in tests. */
export interface PrintTarget {
  /** False: no room, `drain` will come. */
  write(text: string): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/**
 * Prints each record on a line of standard output, as Flink does: `prefix:3> value` with the subtask counted from 1,
 * `3> value` without a prefix, and no number at parallelism 1. Records printed before a failure may be printed again.
 * @example
 * stream.sinkTo(printSink('late'));
 */
export function printSink<T>(prefix = '', target: PrintTarget = process.stdout): Sink<T, never, never> {
  return { createWriter: (context) => new PrintWriter<T>(linePrefix(prefix, context), target) };
}

/** A sink that drops every record. */
export function discardingSink<T>(): Sink<T, never, never> {
  const writer: SinkWriter<T, never, never> = { write() {}, prepareCommit: () => Promise.resolve([]), close() {} };
  return { createWriter: () => writer };
}

function linePrefix(prefix: string, context: SinkWriterContext): string {
  const subtask = context.parallelism > 1 ? String(context.subtaskIndex + 1) : '';
  const label = prefix !== '' && subtask !== '' ? `${prefix}:${subtask}` : prefix + subtask;
  return label === '' ? '' : `${label}> `;
}

/** Lines are gathered and written once per batch, since `ready` is asked after each. */
class PrintWriter<T> implements SinkWriter<T, never, never> {
  readonly #linePrefix: string;
  readonly #target: PrintTarget;
  readonly #drained = new Availability();
  #lines = '';
  #full = false;

  constructor(prefix: string, target: PrintTarget) {
    this.#linePrefix = prefix;
    this.#target = target;
  }

  write(value: T): void {
    this.#lines += `${this.#linePrefix}${readable(value)}\n`;
  }

  ready(): Promise<void> | undefined {
    this.#flush();
    return this.#full ? this.#drained.wait() : undefined;
  }

  prepareCommit(): Promise<readonly never[]> {
    this.#flush();
    return Promise.resolve([]);
  }

  close(): void {
    this.#flush();
  }

  #flush(): void {
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    if (this.#target.write(lines) || this.#full) return;
    this.#full = true;
    this.#target.once('drain', () => {
      this.#full = false;
      this.#drained.ring();
    });
  }
}

const INSPECT_OPTIONS = { depth: null, breakLength: Number.POSITIVE_INFINITY, compact: true, maxArrayLength: null, maxStringLength: null };

function readable(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, INSPECT_OPTIONS);
}
