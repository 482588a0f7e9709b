/** Errors of a disk: told apart by Node's `code`; a full disk becomes a typed error that says what to do. */
import { MillstreamError } from './errors.js';

/** Node's `code` of an error (ENOENT, EEXIST, ENOSPC …), undefined for anything else. */
export function diskErrorCode(error: unknown): string | undefined {
  if (error instanceof MillstreamError || typeof error !== 'object' || error === null) return undefined;
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === 'string' ? code : undefined;
}

/** True if the disk, or the user's share of it, is full. */
export function isDiskFull(error: unknown): boolean {
  const code = diskErrorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The typed error for a full disk. `what`: "write the checkpoint file". */
export function diskFullError(what: string, path: string, cause: unknown): MillstreamError {
  const quota = diskErrorCode(cause) === 'EDQUOT';
  const found = quota ? 'the disk quota of this user is used up' : 'the disk is full';
  const advice = 'Free space there or choose another directory; the job goes on from its last checkpoint, which is intact.';
  return new MillstreamError('DISK_FULL', `Cannot ${what} '${path}': ${found}. ${advice}`, { cause, retryable: true, details: { path } });
}

/** Errors of the disk or the way to it, which may be gone the next time; what is wrong with a path or its rights is not. */
const TRANSIENT: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY', 'EINTR', 'EIO', 'EMFILE', 'ENFILE', 'ENXIO', 'ESTALE', 'ETIMEDOUT']);

/** An error that may be gone the next time, as a retryable one; every other error as it is. */
export function typedTransientDiskError(error: unknown): unknown {
  const code = diskErrorCode(error);
  if (code === undefined || !TRANSIENT.has(code)) return error;
  const { path } = error as { readonly path?: unknown };
  return new MillstreamError(
    'DISK_FAILED',
    `Cannot read or write ${typeof path === 'string' ? `'${path}'` : 'a file'}: ${(error as Error).message}. The disk, or the way to it, does not work now; the restart strategy decides how often it is tried again.`,
    { cause: error, retryable: true, details: { path, code } },
  );
}

/** A full disk as its typed error; every other error as it is. */
export function typedDiskError(what: string, path: string, error: unknown): unknown {
  return isDiskFull(error) ? diskFullError(what, path, error) : error;
}

/** An error like those of `node:fs`. */
export function createDiskError(code: string, operation: string, path: string): Error & { readonly code: string } {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code, syscall: operation, path });
}
