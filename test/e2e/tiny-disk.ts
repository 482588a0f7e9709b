/** A disk that is soon full. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** A new disk of 64 KB at this path. Undefined where mounting is not allowed, which takes the rights of an administrator; with CI=true it throws. */
export function mountTinyDisk(path: string): TinyDisk | undefined {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'pipe' });
  } catch (cause) {
    if (process.env.CI === 'true') throw new Error(`Cannot test full disks: no disk can be mounted at '${path}'.`, { cause });
    console.warn('No test of full disks: mount is not allowed here.');
    return undefined;
  }
  return {
    path,
    grow: () => void execFileSync('mount', ['-o', 'remount,size=16m', path]),
    unmount: () => void execFileSync('umount', [path]),
  };
}

export interface TinyDisk {
  readonly path: string;
  /** To 16 MB. */
  grow(): void;
  unmount(): void;
}
