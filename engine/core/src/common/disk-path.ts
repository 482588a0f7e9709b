/** Paths as the engine keeps them: absolute, '/' between names (Windows takes it too), so that equal ones are equal strings. */
import { posix } from 'node:path';

/** A path in the one spelling that paths are compared in, independent of the working directory. */
export function normalizeDirectory(directory: string): string {
  const absolute = isAbsolutePath(directory) ? directory : `${process.cwd()}/${directory}`;
  const path = posix.normalize(process.platform === 'win32' ? absolute.replaceAll('\\', '/') : absolute);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Whether a path starts at a root, on POSIX or Windows. */
export function isAbsolutePath(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path);
}
