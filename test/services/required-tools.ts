/** Tools of the machine that a service test needs. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

function isThere(tool: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether all tools are on PATH. With CI=true a missing one throws; otherwise it is reported, for the test to be skipped. */
export function requireTools(subject: string, tools: readonly string[]): 'present' | 'missing' {
  const missing = tools.filter((tool) => !isThere(tool));
  if (missing.length === 0) return 'present';
  const message = `Cannot test ${subject}: ${missing.map((tool) => `'${tool}'`).join(', ')} not on PATH. Install it, or leave this test to CI.`;
  if (process.env.CI === 'true') throw new Error(message);
  process.stderr.write(`SKIPPED  ${message}\n`);
  return 'missing';
}
