/** What the configuration of a cluster can forbid to everybody. */
import { MillstreamError } from 'millstream';

/** Throws FORBIDDEN unless `allowed`. `what`: "cancel jobs of this cluster". */
export function checkAllowed(allowed: boolean, what: string, option: string): void {
  if (allowed) return;
  throw new MillstreamError('FORBIDDEN', `Cannot ${what}: its configuration does not allow it. Set ${option} to true there.`);
}
