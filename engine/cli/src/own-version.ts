/** The version of this package, and so of all of Millstream's. */
import { readFileSync } from 'node:fs';

/** Reads it from the manifest. */
export function ownVersion(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
