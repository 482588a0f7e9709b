/** Type tests of the table of options: the compiler checks this file, nothing runs. */
import type { DeclaredKey, JobOptions, OptionKey, ResolvedOptions } from './options.js';

export const typed: JobOptions = { 'parallelism.default': '4', 'execution.checkpointing.mode': 'EXACTLY_ONCE', 'pipeline.name': 'sums' };

// @ts-expect-error: a word that the option does not have.
export const wrongWord: JobOptions = { 'execution.checkpointing.mode': 'TWICE' };

// @ts-expect-error: an option of the cluster, not of a job.
export const ofCluster: JobOptions = { 'rest.port': 8081 };

type Pending = Exclude<DeclaredKey, OptionKey>;

/** What no code reads yet can be read at its default, and not set. */
export function readsPending(options: ResolvedOptions, pending: Pending): unknown {
  // @ts-expect-error: not an option that can be set.
  const settable: OptionKey = pending;
  return [options[pending], settable];
}

/** A default makes a value certain. */
export function readsValues(options: ResolvedOptions): readonly [number, string | undefined, 'none' | 'reactive'] {
  return [options['heartbeat.interval'], options['jobmanager.rpc.address'], options['scheduler-mode']];
}
