/**
 * What TaskManagers that were killed have left of their copies of state files: nobody reads them again, since each process has a directory
 * of its own, named after it.
 *
 *     <directory>/local-state-<host>-<pid>                                        directories that were configured, and may be shared
 *     <temporary files>/millstream-taskmanager-<random>/local-state-<host>-<pid>
 *
 * Invariants: 1. nothing else is removed, and never the directory of a process of this machine that lives; 2. a TaskManager with a name of
 * its own (`taskmanager.resource-id`) finds its copies again, so they stay; 3. it never throws. Where machines share a name and a disk (as
 * containers may), one that lives can be taken for dead: it then reads its checkpoints from their store, as for any copy that is missing.
 */
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { randomToken } from 'millstream/cluster';
import { TEMPORARY_PREFIX } from './temporary-directory.js';

const PREFIX = 'local-state-';

/** The name of a TaskManager that was given none. In a container it is process 1, and others may have the name of its host, too. */
export function processName(pid: number = process.pid): string {
  return pid === 1 ? `${hostname()}-${randomToken().slice(0, 8)}-1` : `${hostname()}-${pid}`;
}

/** The directory of a TaskManager's copies. */
export function localStateDirectory(parent: string, taskManager: string): string {
  return join(parent, `${PREFIX}${taskManager}`);
}

/**
 * Removes what dead processes have left in `parent` and in the temporary directories beside `temporary`, that of this process. To be called
 * before this process makes copies.
 */
export async function removeLeftoverCopies(parent: string, temporary: string): Promise<void> {
  const beside = dirname(temporary);
  const others = (await namesIn(beside)).filter((name) => name.startsWith(`${TEMPORARY_PREFIX}taskmanager-`));
  for (const directory of new Set([parent, ...others.map((name) => join(beside, name))])) {
    const dead = (await namesIn(directory)).filter(isOfDeadProcess);
    for (const name of dead) await rm(join(directory, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}

function isOfDeadProcess(name: string): boolean {
  const ours = `${PREFIX}${hostname()}-`;
  if (!name.startsWith(ours)) return false;
  const digits = /^[1-9]\d{0,9}$/.exec(name.slice(ours.length))?.[0];
  return digits !== undefined && !isAlive(Number(digits));
}

function isAlive(pid: number): boolean {
  // This process has made none yet: it has the number of one that is gone.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's.
    return (error as { readonly code?: unknown }).code !== 'ESRCH';
  }
}
