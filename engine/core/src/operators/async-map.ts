/**
 * mapAsync: calls of an asynchronous function with a bounded number in flight. Calls settle at any time; results are emitted in `drain`
 * only, in the order of the input or, unordered, as they come but never across a watermark.
 *
 *     record ─▶ entry (in flight) ─▶ settled ─▶ drain ─▶ output         queue: entries and watermarks in order of arrival
 *                 ▲      │ error: retry after a delay
 *                 └──────┘
 *
 * Invariants: 1. at most `capacity` calls run at once, and with a full queue the input is suspended; what comes all the same, because a
 * barrier waits for the rest of a batch, waits for its call; 2. a snapshot holds the inputs of all entries that were not emitted, in
 * order; after a restore they are asked again, before new ones; 3. each entry is emitted or given up once: what settles after its
 * timeout is ignored.
 */
import type { ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { type Budget, failedRecord, type OnError, type Operator, type OperatorContext } from './operator.js';

/** How failed calls are repeated. */
export interface AsyncRetryOptions {
  /** Calls in all, the first included. */
  readonly attempts: number;
  /** Pause before the second call, ms. */
  readonly delayMs: number;
  /** Each further pause is this many times longer. Default 1. */
  readonly backoff?: number | undefined;
  /** Which errors are worth another call. Default: all. */
  readonly retryIf?: ((error: unknown) => boolean) | undefined;
}

export interface AsyncMapOptions<I, O> {
  readonly fn: (value: I) => Promise<O>;
  /** True: results in the order of the input. */
  readonly ordered: boolean;
  /** Entries that were not emitted at most. Default 100. */
  readonly capacity?: number | undefined;
  /** For all calls and pauses of one element together, ms; undefined: no limit. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: AsyncRetryOptions | undefined;
  /** What happens to an element whose calls failed or took too long. Default: the job fails. */
  readonly onError?: OnError | undefined;
}

/** Flink's default. */
export const ASYNC_CAPACITY = 100;

/** An element whose result is not emitted. */
class Entry {
  readonly value: unknown;
  readonly timestamp: number;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'emitted' = 'waiting';
  result: unknown;
  attempts = 0;
  /** When it times out, on the monotonic clock. */
  deadline: number = Number.POSITIVE_INFINITY;
  retry: ScheduledCall | undefined;

  constructor(value: unknown, timestamp: number) {
    this.value = value;
    this.timestamp = timestamp;
  }

  get settled(): boolean {
    return this.state === 'done' || this.state === 'failed';
  }
}

/** Entries between two watermarks, and the watermark after them. */
interface Segment {
  entries: Entry[];
  /** Undefined in the last segment until a watermark comes. */
  watermark: number | undefined;
}

interface InFlightElement {
  readonly value: unknown;
  readonly timestamp: number;
}

class AsyncMapOperator implements Operator {
  readonly ownWatermarks = true;
  private readonly context: OperatorContext;
  private readonly options: AsyncMapOptions<unknown, unknown>;
  private readonly capacity: number;
  private segments: Segment[] = [{ entries: [], watermark: undefined }];
  /** Entries that were not emitted. */
  private count = 0;
  private running = 0;
  /** Entries that wait for their first call: after a restore, and when a barrier let more in than there is capacity for. */
  private readonly backlog: Entry[] = [];
  /** Running entries that have deadlines, in the order of these. */
  private readonly deadlines = new Set<Entry>();
  private timer: ScheduledCall | undefined;
  private suspended = false;
  private idle = false;
  private closed = false;

  constructor(context: OperatorContext, options: AsyncMapOptions<unknown, unknown>) {
    this.context = context;
    this.options = options;
    this.capacity = options.capacity ?? ASYNC_CAPACITY;
  }

  open(): void {
    const inFlight = this.context.operatorState.list<InFlightElement>(IN_FLIGHT_STATE);
    for (const { value, timestamp } of inFlight.get()) this.accept(value, timestamp);
    inFlight.update([]);
  }

  processElement(value: unknown, timestamp: number): void {
    this.accept(value, timestamp);
  }

  private accept(value: unknown, timestamp: number): void {
    const entry = new Entry(value, timestamp);
    (this.segments.at(-1) as Segment).entries.push(entry);
    this.count++;
    if (this.running < this.capacity) this.start(entry);
    else this.backlog.push(entry);
    if (this.count >= this.capacity && !this.suspended) {
      this.suspended = true;
      this.context.suspend();
    }
  }

  private start(entry: Entry): void {
    entry.state = 'running';
    this.running++;
    if (this.options.timeoutMs !== undefined) {
      entry.deadline = this.context.clock.monotonic() + this.options.timeoutMs;
      this.deadlines.add(entry);
      if (this.timer === undefined) this.scheduleTimeout(entry);
    }
    this.ask(entry);
  }

  private ask(entry: Entry): void {
    entry.retry = undefined;
    entry.attempts++;
    let answer: Promise<unknown>;
    try {
      answer = Promise.resolve(this.options.fn(entry.value));
    } catch (error) {
      answer = Promise.reject(error);
    }
    answer.then(
      (result) => this.succeeded(entry, result),
      (error: unknown) => this.failed(entry, error),
    );
  }

  private succeeded(entry: Entry, result: unknown): void {
    if (entry.state === 'running') this.settle(entry, 'done', result);
  }

  private failed(entry: Entry, error: unknown): void {
    if (entry.state !== 'running' || this.closed) return;
    const { retry } = this.options;
    if (retry === undefined || entry.attempts >= retry.attempts || retry.retryIf?.(error) === false) {
      this.settle(entry, 'failed', error);
      return;
    }
    const delay = retry.delayMs * (retry.backoff ?? 1) ** (entry.attempts - 1);
    entry.retry = this.context.clock.schedule(delay, () => {
      if (entry.state === 'running' && !this.closed) this.ask(entry);
    });
  }

  private settle(entry: Entry, state: 'done' | 'failed', result: unknown): void {
    if (this.closed) return;
    if (state === 'failed' && (this.options.onError ?? FAIL).type === 'fail') {
      this.context.fail(result);
      return;
    }
    entry.state = state;
    entry.result = result;
    this.deadlines.delete(entry);
    this.running--;
    const next = this.backlog.shift();
    if (next !== undefined) this.start(next);
    this.context.wake();
  }

  private scheduleTimeout(entry: Entry): void {
    this.timer?.cancel();
    this.timer = this.context.clock.schedule(Math.max(0, entry.deadline - this.context.clock.monotonic()), () => this.timeOut());
  }

  /** All timeouts are equally long, so one timer for the oldest entry does for all. */
  private timeOut(): void {
    this.timer = undefined;
    const now = this.context.clock.monotonic();
    for (const oldest of this.deadlines) {
      if (oldest.deadline > now) {
        this.scheduleTimeout(oldest);
        return;
      }
      oldest.retry?.cancel();
      this.settle(oldest, 'failed', this.timeoutError(oldest));
      if (this.closed) return;
    }
  }

  private timeoutError(entry: Entry): MillstreamError {
    const { timeoutMs } = this.options;
    return new MillstreamError(
      'ASYNC_TIMEOUT',
      `Cannot wait longer for mapAsync '${this.context.name}': an element has no result after ${timeoutMs} ms and ${entry.attempts} call(s). Raise timeoutMs, or set onError to skip such elements.`,
      { details: { operator: this.context.name, timeoutMs, attempts: entry.attempts } },
    );
  }

  advanceEventTime(watermark: number): boolean {
    const last = this.segments.at(-1) as Segment;
    const before = this.segments.at(-2);
    if (before === undefined && last.entries.length === 0) {
      this.context.emitWatermark(watermark);
      return true;
    }
    if (last.entries.length === 0 && before !== undefined) {
      before.watermark = watermark;
    } else {
      last.watermark = watermark;
      this.segments.push({ entries: [], watermark: undefined });
    }
    return true;
  }

  setIdle(idle: boolean): void {
    this.idle = idle;
    // Idleness waits for the results before it; activity need not.
    if (!idle || this.count === 0) this.context.emitIdle(idle);
  }

  drain(budget: Budget): boolean {
    for (let first = this.segments[0] as Segment; ; first = this.segments[0] as Segment) {
      if (!(this.options.ordered ? this.drainInOrder(first, budget) : this.drainSettled(first, budget))) {
        this.resume();
        return false;
      }
      if (first.entries.length > 0 || first.watermark === undefined) break;
      this.segments.shift();
      this.context.emitWatermark(first.watermark);
    }
    if (this.count === 0 && this.idle) this.context.emitIdle(true);
    this.resume();
    return true;
  }

  private drainInOrder(segment: Segment, budget: Budget): boolean {
    const { entries } = segment;
    let emitted = 0;
    let complete = true;
    for (const entry of entries) {
      if (!entry.settled) break;
      emitted++;
      this.emit(entry);
      if (budget.exhausted()) {
        complete = false;
        break;
      }
    }
    if (emitted > 0) entries.splice(0, emitted);
    return complete;
  }

  private drainSettled(segment: Segment, budget: Budget): boolean {
    let complete = true;
    for (const entry of segment.entries) {
      if (!entry.settled) continue;
      this.emit(entry);
      if (budget.exhausted()) {
        complete = false;
        break;
      }
    }
    segment.entries = segment.entries.filter((entry) => entry.state !== 'emitted');
    return complete;
  }

  private emit(entry: Entry): void {
    const failed = entry.state === 'failed';
    entry.state = 'emitted';
    this.count--;
    if (!failed) {
      this.context.output.collect(entry.result, entry.timestamp);
      return;
    }
    this.context.counters.numRecordsInErrors++;
    const { onError } = this.options;
    if (onError?.type === 'sideOutput') this.context.side(onError.tag).collect(failedRecord(entry.value, entry.result), entry.timestamp);
  }

  private resume(): void {
    if (!this.suspended || this.count >= this.capacity) return;
    this.suspended = false;
    this.context.resume();
  }

  finish(budget: Budget): boolean {
    return this.drain(budget) && this.count === 0;
  }

  snapshotState(): void {
    const elements: InFlightElement[] = [];
    for (const { entries } of this.segments) for (const { value, timestamp } of entries) elements.push({ value, timestamp });
    this.context.operatorState.list<InFlightElement>(IN_FLIGHT_STATE).update(elements);
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
    for (const { entries } of this.segments) for (const entry of entries) entry.retry?.cancel();
  }
}

const IN_FLIGHT_STATE = 'in-flight';
const FAIL: OnError = { type: 'fail' };

function checkOptions(options: AsyncMapOptions<unknown, unknown>): void {
  const { capacity = ASYNC_CAPACITY, timeoutMs, retry } = options;
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw new MillstreamError('INVALID_OPTION', `Cannot use '${capacity}' as capacity of mapAsync: it must be a whole number above 0.`);
  }
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new MillstreamError('INVALID_OPTION', `Cannot use '${timeoutMs}' as timeout of mapAsync: it must be a number of ms above 0.`);
  }
  if (
    retry !== undefined &&
    !(Number.isSafeInteger(retry.attempts) && retry.attempts > 0 && retry.delayMs >= 0 && (retry.backoff ?? 1) > 0)
  ) {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot retry mapAsync with attempts '${retry.attempts}', delayMs '${retry.delayMs}' and backoff '${retry.backoff ?? 1}': attempts must be a whole number above 0, the delay 0 or more, the backoff above 0.`,
    );
  }
}

/**
 * Maps each element with an asynchronous function.
 * @example createAsyncMapOperator({ fn: (id: string) => lookUp(id), ordered: true, capacity: 50, timeoutMs: 5_000 })
 */
export function createAsyncMapOperator<I, O>(options: AsyncMapOptions<I, O>): (context: OperatorContext) => Operator {
  const checked = options as unknown as AsyncMapOptions<unknown, unknown>;
  checkOptions(checked);
  return (context) => new AsyncMapOperator(context, checked);
}
