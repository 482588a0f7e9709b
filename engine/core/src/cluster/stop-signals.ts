/** SIGINT and SIGTERM: the first stops a run cleanly, the second ends the process at once. */
import { systemClock } from '../common/clock.js';
import type { RunOutcome } from './job-run-options.js';

/** A signal that stops a run. */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/** What the shell sees of a process that such a signal ended. */
export const SIGNAL_EXIT_CODES: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/** A terminal sends Ctrl-C to the whole process group, and a parent (npx, timeout) passes it on: within this time it is one signal. */
export const SIGNAL_ECHO_MS = 100;

/** What has been heard of such signals. */
export interface StopSignals {
  /** The signal that asked for the stop, if one has. */
  readonly received: StopSignal | undefined;
  /** Listens no longer. */
  release(): void;
}

/** Listens until released. A program that listens to SIGINT or SIGTERM itself keeps them: then nothing happens here. */
export function stopOnSignals(stop: (signal: StopSignal) => void): StopSignals {
  let receivedAt = 0;
  const listeners: [StopSignal, () => void][] = [];
  const signals = {
    received: undefined as StopSignal | undefined,
    release: () => {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
  if (process.listenerCount('SIGINT') + process.listenerCount('SIGTERM') > 0) return signals;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const listener = (): void => {
      if (signals.received !== undefined) {
        if (systemClock.monotonic() - receivedAt > SIGNAL_ECHO_MS) process.exit(SIGNAL_EXIT_CODES[signal]);
        return;
      }
      signals.received = signal;
      receivedAt = systemClock.monotonic();
      stop(signal);
    };
    listeners.push([signal, listener]);
    process.on(signal, listener);
  }
  return signals;
}

/** Ends a process that a signal has stopped, and says how its job goes on. */
export function endProcess(outcome: RunOutcome & { readonly type: 'stopped' | 'cancelled' }, signal: StopSignal): never {
  const { checkpoint } = outcome;
  process.stderr.write(
    checkpoint === undefined
      ? 'Cancelled; nothing was kept. Set execution.checkpointing.dir for a checkpoint to resume from.\n'
      : `Stopped. Resume with: npx millstream run ${process.argv[1]} --from ${checkpoint}\n`,
  );
  process.exit(outcome.type === 'stopped' ? 0 : SIGNAL_EXIT_CODES[signal]);
}
