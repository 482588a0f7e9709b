/**
 * The table of options: every key with its type, bounds, default, reader and explanation, in one place. Keys are Flink's where Flink has
 * the option. Jobs read values through `resolveOptions`, processes through `resolveConfiguration`.
 */
import { CHECKPOINT_OPTIONS } from './checkpoint-options.js';
import { JOB_OPTIONS } from './job-options.js';
import { JOBMANAGER_OPTIONS } from './jobmanager-options.js';
import type { OptionRows } from './option-declaration.js';
import { PROCESS_OPTIONS } from './process-options.js';
import { REST_OPTIONS } from './rest-options.js';
import { RESTART_OPTIONS } from './restart-options.js';
import { SECURITY_OPTIONS } from './security-options.js';
import { TASKMANAGER_OPTIONS } from './taskmanager-options.js';

type OptionTable = typeof JOB_OPTIONS &
  typeof CHECKPOINT_OPTIONS &
  typeof RESTART_OPTIONS &
  typeof JOBMANAGER_OPTIONS &
  typeof TASKMANAGER_OPTIONS &
  typeof REST_OPTIONS &
  typeof SECURITY_OPTIONS &
  typeof PROCESS_OPTIONS;

/** The table, with rows that no code reads yet. */
export const OPTIONS: OptionTable & OptionRows = {
  ...JOB_OPTIONS,
  ...CHECKPOINT_OPTIONS,
  ...RESTART_OPTIONS,
  ...JOBMANAGER_OPTIONS,
  ...TASKMANAGER_OPTIONS,
  ...REST_OPTIONS,
  ...SECURITY_OPTIONS,
  ...PROCESS_OPTIONS,
};

/** A row of the table, also one that no code reads yet. */
export type DeclaredKey = keyof OptionTable;

/** The name of an option. */
export type OptionKey = { [K in DeclaredKey]: OptionTable[K] extends { readonly pending: true } ? never : K }[DeclaredKey];

/** The name of an option that a program may set. */
export type JobOptionKey = { [K in OptionKey]: OptionTable[K]['scope'] extends 'job' ? K : never }[OptionKey];

/** The value of an option as the engine reads it: durations in ms, memory in bytes. */
export type OptionValue<K extends DeclaredKey> = OptionTable[K] extends { readonly type: 'boolean' }
  ? boolean
  : OptionTable[K] extends { readonly values: readonly (infer Word)[] }
    ? Word
    : OptionTable[K] extends { readonly type: 'text' }
      ? string
      : number;

/** What a program may set an option to: the value, or text as on the command line ("10 s", "64 mb", "4"). */
export type OptionInput<K extends OptionKey> = OptionValue<K> extends number ? number | string : OptionValue<K>;

/** Options as a program sets them. */
export type JobOptions = { readonly [K in JobOptionKey]?: OptionInput<K> };

/** The options that are set, as values. */
export type SetOptions = { readonly [K in JobOptionKey]?: OptionValue<K> };

/** All options: the value, or the default, or undefined where there is none. */
export type ResolvedOptions = {
  readonly [K in DeclaredKey]: OptionTable[K] extends { readonly default: unknown } ? OptionValue<K> : OptionValue<K> | undefined;
};

/** How often each record counts in state after a failure. */
export type CheckpointingMode = OptionValue<'execution.checkpointing.mode'>;

/** What becomes of the checkpoints of a job that has not finished. */
export type ExternalizedCheckpointRetention = OptionValue<'execution.checkpointing.externalized-checkpoint-retention'>;

/** What follows a failure. */
export type RestartStrategyType = OptionValue<'restart-strategy.type'>;
