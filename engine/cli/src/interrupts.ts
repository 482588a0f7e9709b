/** Ctrl-C of commands that take their time to end. */
import { SIGNAL_ECHO_MS, systemClock } from 'millstream/cluster';

/** Calls `first` at the first SIGINT, and `again` at each later one: who asks twice does not want to wait. */
export function onInterrupt(first: () => void, again: () => void): void {
  let heardAt: number | undefined;
  process.on('SIGINT', () => {
    const now = systemClock.monotonic();
    if (heardAt === undefined) {
      heardAt = now;
      first();
    } else if (now - heardAt > SIGNAL_ECHO_MS) again();
  });
}
