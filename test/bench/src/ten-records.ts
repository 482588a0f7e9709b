/** `bench ten-records`: `millstream run` of a job of ten records, from the command until its process has ended. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from 'millstream/cluster';

const COMMAND = fileURLToPath(new URL('../../../../node_modules/.bin/millstream', import.meta.url));
/** From the compiled file to the source, which the command bundles. */
const PROGRAM = fileURLToPath(new URL('../../../jobs/ten-records.ts', import.meta.url));
const RESULTS = '1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n';

export interface SmallJobRun {
  readonly durationMs: number;
}

export async function measureTenRecords(): Promise<SmallJobRun> {
  const startedAt = systemClock.monotonic();
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, 'run', PROGRAM]);
  const durationMs = Math.round(systemClock.monotonic() - startedAt);
  if (stdout !== RESULTS) throw new Error(`Cannot measure: the job of ten records printed ${JSON.stringify(stdout)}.`);
  return { durationMs };
}
