/**
 * An object store whose requests are tried again where that may help (an error with `retryable`), with pauses that double and jitter, up
 * to a limit of tries.
 *
 * A try that failed may have been done. Every request is harmless when it is done twice, except that: 1. a conditional write that was
 * done is refused the second time; 2. an upload that was completed is unknown the second time. Whoever makes these looks at what is there
 * (object-register.ts, object-file.ts).
 */
import type { Clock } from './clock.js';
import type { ObjectStore, PutCondition, StoredObject, UnfinishedUpload, UploadedPart } from './object-store.js';
import type { Random } from './random.js';

/** How often, and with which pauses. */
export interface ObjectRetryOptions {
  /** Tries of a request, the first included. Default: 6. */
  readonly attempts?: number;
  /** The first pause, ms; it doubles each time. Default: 100. */
  readonly initialBackoffMs?: number;
  /** The longest pause, ms. Default: 5000. */
  readonly maxBackoffMs?: number;
}

/** See the head of this file. */
export class RetryingObjectStore implements ObjectStore {
  private readonly store: ObjectStore;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly attempts: number;
  private readonly initialBackoffMs: number;
  private readonly maxBackoffMs: number;

  constructor(store: ObjectStore, clock: Clock, random: Random, options: ObjectRetryOptions = {}) {
    this.store = store;
    this.clock = clock;
    this.random = random;
    this.attempts = options.attempts ?? 6;
    this.initialBackoffMs = options.initialBackoffMs ?? 100;
    this.maxBackoffMs = options.maxBackoffMs ?? 5000;
  }

  get root(): string {
    return this.store.root;
  }

  put(key: string, content: Uint8Array, condition?: PutCondition): Promise<string | undefined> {
    return this.retry(() => this.store.put(key, content, condition));
  }

  get(key: string): Promise<StoredObject | undefined> {
    return this.retry(() => this.store.get(key));
  }

  sizeOf(key: string): Promise<number | undefined> {
    return this.retry(() => this.store.sizeOf(key));
  }

  delete(key: string): Promise<void> {
    return this.retry(() => this.store.delete(key));
  }

  list(prefix: string, limit?: number): Promise<string[]> {
    return this.retry(() => this.store.list(prefix, limit));
  }

  startUpload(key: string): Promise<string> {
    return this.retry(() => this.store.startUpload(key));
  }

  uploadPart(key: string, upload: string, number: number, content: Uint8Array): Promise<UploadedPart> {
    return this.retry(() => this.store.uploadPart(key, upload, number, content));
  }

  completeUpload(key: string, upload: string, parts: readonly UploadedPart[]): Promise<void> {
    return this.retry(() => this.store.completeUpload(key, upload, parts));
  }

  abortUpload(key: string, upload: string): Promise<void> {
    return this.retry(() => this.store.abortUpload(key, upload));
  }

  unfinishedUploads(prefix: string): Promise<UnfinishedUpload[]> {
    return this.retry(() => this.store.unfinishedUploads(prefix));
  }

  private async retry<T>(request: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await request();
      } catch (error) {
        if (attempt >= this.attempts || !isRetryable(error)) throw error;
        await this.pause(attempt);
      }
    }
  }

  /** Half of it is chance: those who failed together don't come back together. */
  private pause(attempt: number): Promise<void> {
    const whole = Math.min(this.initialBackoffMs * 2 ** (attempt - 1), this.maxBackoffMs);
    return new Promise((resolve) => {
      this.clock.schedule(whole * (0.5 + this.random.unit() / 2), resolve);
    });
  }
}

function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { readonly retryable?: unknown }).retryable === true;
}
