/** The failures of a job that ended attempts, newest first; bounded. */
import type { ExceptionInfo, JobExceptions, RootExceptionInfo } from './job-info.js';

/** Flink's `web.exception-history-size`. */
export const EXCEPTION_HISTORY_SIZE = 16;

/** What fails with the first error of an attempt is kept up to this number. */
const CONCURRENT_MAX = 16;

/** A failure, and where it happened as far as that is known. */
export interface FailureFacts {
  readonly at: number;
  readonly error: {
    readonly name: string;
    readonly message: string;
    readonly stack?: string | undefined;
    readonly code?: string | undefined;
  };
  /** "map (2/4)" */
  readonly taskName?: string | undefined;
  readonly taskManagerId?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** The failures of a job; told by whoever restarts it. */
export class ExceptionHistory {
  private readonly size: number;
  private readonly entries: RootExceptionInfo[] = [];
  private dropped = false;

  constructor(size: number = EXCEPTION_HISTORY_SIZE) {
    this.size = size;
  }

  /** The failure that ended an attempt. */
  add(failure: FailureFacts): void {
    this.entries.unshift({ ...exceptionInfo(failure), concurrentExceptions: [] });
    if (this.entries.length <= this.size) return;
    this.entries.length = this.size;
    this.dropped = true;
  }

  /** One that came while the newest attempt in the history was ending. */
  addConcurrent(failure: FailureFacts): void {
    const newest = this.entries[0];
    if (newest === undefined) this.add(failure);
    else if (newest.concurrentExceptions.length < CONCURRENT_MAX) {
      this.entries[0] = { ...newest, concurrentExceptions: [...newest.concurrentExceptions, exceptionInfo(failure)] };
    }
  }

  /** The newest failure. */
  get latest(): RootExceptionInfo | undefined {
    return this.entries[0];
  }

  toInfo(maxExceptions: number = this.size): JobExceptions {
    const entries = this.entries.slice(0, maxExceptions);
    return { exceptionHistory: { entries, truncated: this.dropped || entries.length < this.entries.length } };
  }
}

function exceptionInfo({ at, error, taskName, taskManagerId, endpoint, labels }: FailureFacts): ExceptionInfo {
  return {
    exceptionName: error.code ?? error.name,
    stacktrace: error.stack === undefined || error.stack === '' ? `${error.name}: ${error.message}` : error.stack,
    timestamp: at,
    failureLabels: labels ?? {},
    ...(taskName !== undefined && { taskName }),
    ...(endpoint !== undefined && { endpoint }),
    ...(taskManagerId !== undefined && { taskManagerId }),
  };
}
