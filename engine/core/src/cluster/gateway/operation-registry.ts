/**
 * Operations that were triggered: started once per trigger id, looked up until some time after their end.
 *
 * Invariants: 1. the same trigger id on the same target starts nothing new; 2. an id names one operation; 3. bounded: ended ones are
 * forgotten after `keepMs`, the oldest ended first beyond `max`; 4. a running one is never forgotten, and there are at most `max`.
 */
import type { Clock } from '../../common/clock.js';
import { MillstreamError, messageOf } from '../../common/errors.js';
import type { Random } from '../../common/random.js';
import type { AsynchronousOperation } from './operation-info.js';

/** How long operations are known. */
export interface OperationRegistryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Flink's `rest.async.store-duration`. Default: 5 minutes. */
  readonly keepMs?: number;
  /** Default: 1000. */
  readonly max?: number;
}

interface Operation {
  /** What it does to what: an id that comes again must mean the same. */
  readonly target: string;
  endedAt: number | undefined;
  info: AsynchronousOperation<unknown>;
}

/** Operations by trigger id. */
export class OperationRegistry {
  private readonly options: Required<OperationRegistryOptions>;
  private readonly operations = new Map<string, Operation>();

  constructor(options: OperationRegistryOptions) {
    this.options = { keepMs: 300_000, max: 1000, ...options };
  }

  /** Starts `work` unless an operation with this id is known. Returns the id. Throws REQUEST_CONFLICT, CLUSTER_UNAVAILABLE. */
  start(target: string, triggerId: string | undefined, work: () => Promise<unknown>): string {
    this.forget();
    const id = triggerId ?? this.newId();
    const known = this.operations.get(id);
    if (known !== undefined) {
      if (known.target === target) return id;
      throw new MillstreamError(
        'REQUEST_CONFLICT',
        `Cannot start this operation (${target}) with the trigger id '${id}': it belongs to another one (${known.target}). Choose a new id, or leave it out.`,
      );
    }
    if (this.operations.size >= this.options.max) {
      throw new MillstreamError(
        'CLUSTER_UNAVAILABLE',
        `Cannot start this operation (${target}): ${this.operations.size} operations are running. Try again when some have ended.`,
        { retryable: true },
      );
    }
    const operation: Operation = { target, endedAt: undefined, info: { status: { id: 'IN_PROGRESS' } } };
    this.operations.set(id, operation);
    const end = (result: unknown): void => {
      operation.endedAt = this.options.clock.monotonic();
      operation.info = { status: { id: 'COMPLETED' }, operation: result };
    };
    // A command that throws at once is an operation that failed, not a request that did.
    Promise.resolve()
      .then(work)
      .then(end, (error: unknown) => end({ 'failure-cause': failureCause(error) }));
    return id;
  }

  /** Whether an operation with this id is known. */
  has(triggerId: string): boolean {
    return this.operations.has(triggerId);
  }

  /** Throws NOT_FOUND. */
  status<T>(target: string, triggerId: string): AsynchronousOperation<T> {
    this.forget();
    const operation = this.operations.get(triggerId);
    if (operation === undefined || operation.target !== target) {
      throw new MillstreamError(
        'NOT_FOUND',
        `Cannot tell how the operation '${triggerId}' (${target}) goes: this JobManager did not start it, or it ended more than ${this.options.keepMs / 1000} s ago (rest.async.store-duration). Trigger ids are not handed on to the next leader: if it has changed since, look at the job's checkpoints, and trigger again what is not there.`,
      );
    }
    return operation.info as AsynchronousOperation<T>;
  }

  private forget(): void {
    const { clock, keepMs, max } = this.options;
    const before = clock.monotonic() - keepMs;
    for (const [id, { endedAt }] of this.operations) {
      if (endedAt === undefined) continue;
      if (endedAt < before || this.operations.size >= max) this.operations.delete(id);
    }
  }

  private newId(): string {
    const word = (): string => this.options.random.uint32().toString(16).padStart(8, '0');
    return word() + word() + word() + word();
  }
}

/** An error as operations and results show it. */
export function failureCause(error: unknown): { readonly class: string; readonly 'stack-trace': string } {
  if (error instanceof MillstreamError) return { class: error.code, 'stack-trace': error.message };
  return { class: 'INTERNAL', 'stack-trace': messageOf(error) };
}
