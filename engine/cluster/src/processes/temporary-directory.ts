/** The directory of a process for what it need not find again. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillstreamError } from 'millstream';
import type { ResolvedOptions } from 'millstream/cluster';

/** What the names of all of them begin with. */
export const TEMPORARY_PREFIX = 'millstream-';

/** Makes it, of this process alone. Throws INVALID_OPTION. */
export async function temporaryDirectory(options: ResolvedOptions, process: string): Promise<string> {
  const parent = options['io.tmp.dirs'] ?? tmpdir();
  try {
    return await mkdtemp(join(parent, `${TEMPORARY_PREFIX}${process}-`));
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot make a directory for temporary files in '${parent}': ${found}. Set io.tmp.dirs to a directory that this process may write to.`,
      { cause },
    );
  }
}
