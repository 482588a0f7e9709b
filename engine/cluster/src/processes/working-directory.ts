/** The directory of a process for what it finds again after a restart, such as copies of state and uploaded programs. */
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MillstreamError } from 'millstream';
import type { ResolvedOptions } from 'millstream/cluster';

const OWN_OPTIONS = { jobmanager: 'process.jobmanager.working-dir', taskmanager: 'process.taskmanager.working-dir' } as const;

/**
 * Of `process.<process>.working-dir`, else `process.working-dir`; made if need be, and stays when the process ends. Not set: `temporary`.
 * Throws INVALID_OPTION.
 */
export async function workingDirectory(options: ResolvedOptions, process: keyof typeof OWN_OPTIONS, temporary: string): Promise<string> {
  const own = OWN_OPTIONS[process];
  const key = options[own] === undefined ? 'process.working-dir' : own;
  const set = options[key];
  if (set === undefined) return temporary;
  const directory = resolve(set);
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.W_OK);
    return directory;
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot use '${directory}' as the working directory: ${found}. Set ${key} to a directory that this process may write to.`,
      { cause },
    );
  }
}
