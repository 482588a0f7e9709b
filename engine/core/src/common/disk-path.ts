/**
 * Paths as the engine keeps them: absolute, '/' between names (Windows takes it too), so that equal ones are equal strings. Files of
 * object stores begin with a scheme: `s3://bucket/…`.
 */
import { posix } from 'node:path';

/** A path in the one spelling that paths are compared in, independent of the working directory. */
export function normalizeDirectory(directory: string): string {
  const root = storageRoot(directory);
  if (root !== undefined) {
    const rest = posix.normalize(`/${directory.slice(root.length)}`);
    return rest === '/' ? root : root + (rest.endsWith('/') ? rest.slice(0, -1) : rest);
  }
  const absolute = isAbsolutePath(directory) ? directory : `${process.cwd()}/${directory}`;
  const path = posix.normalize(process.platform === 'win32' ? absolute.replaceAll('\\', '/') : absolute);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Whether a path starts at a root: on POSIX, on Windows, or in an object store. */
export function isAbsolutePath(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path) || storageRoot(path) !== undefined;
}

/** The beginning of a path that has a scheme: 's3://bucket'. Undefined: it is of the machine's disk. */
export function storageRoot(path: string): string | undefined {
  return /^[a-z][a-z0-9+.-]+:\/\/[^/]*/.exec(path)?.[0];
}
