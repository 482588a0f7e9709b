/** The version of this package, which all packages of a release share. */
import { readFileSync } from 'node:fs';

/** As in `package.json`. */
export const ENGINE_VERSION: string = readVersion();

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return (manifest as { readonly version: string }).version;
}
