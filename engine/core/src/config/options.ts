/**
 * The table of options: every key with its type, bounds, default and explanation, in one place. Keys are Flink's where Flink has the
 * option. Plain data, so that documentation can be made from it; values are read through `resolveOptions`.
 */

/** The number of key groups and of subtasks is bounded by 2^15, as in Flink. */
type Bounds = { readonly minimum?: number; readonly maximum?: number };

/** What a row of the table says. Durations and memory have their default as text; without a default the option is not set. */
export type OptionDeclaration = { readonly doc: string } & (
  | ({ readonly type: 'integer' | 'number'; readonly default?: number } & Bounds)
  /** In ms, `minimum` too. `disabled`: -1 is allowed. */
  | { readonly type: 'duration'; readonly default?: string; readonly minimum?: number; readonly disabled?: true }
  | { readonly type: 'memory'; readonly default?: string }
  | { readonly type: 'boolean'; readonly default?: boolean }
  | { readonly type: 'text'; readonly default?: string }
  | { readonly type: 'enum'; readonly values: readonly string[]; readonly default?: string }
);

/** The table. */
export const OPTIONS = {
  'parallelism.default': {
    type: 'integer',
    minimum: 1,
    maximum: 32768,
    default: 1,
    doc: 'Subtasks of each operator that does not set its own number.',
  },
  'pipeline.name': { type: 'text', doc: "The job's name, where the program gives none." },
  'pipeline.max-parallelism': {
    type: 'integer',
    minimum: 1,
    maximum: 32768,
    doc: 'Number of key groups, the upper bound of parallelism; fixed by the first checkpoint. Not set: 128, more from parallelism 86 on.',
  },
  'pipeline.auto-watermark-interval': { type: 'duration', default: '200 ms', doc: 'How often watermark generators are asked.' },
  'pipeline.operator-chaining.enabled': { type: 'boolean', default: true, doc: 'Whether operators are fused into chains.' },
  'execution.buffer-timeout.interval': {
    type: 'duration',
    disabled: true,
    default: '100 ms',
    doc: 'How long a record may wait for a batch to fill before it travels. 0: not at all; -1: until the batch is full.',
  },
  'execution.checkpointing.interval': {
    type: 'duration',
    minimum: 1,
    doc: 'Time between checkpoints. Not set: no periodic checkpoints.',
  },
  'execution.checkpointing.mode': {
    type: 'enum',
    values: ['EXACTLY_ONCE', 'AT_LEAST_ONCE'],
    default: 'EXACTLY_ONCE',
    doc: 'EXACTLY_ONCE aligns barriers; AT_LEAST_ONCE does not, and may count records twice after a failure.',
  },
  'execution.checkpointing.timeout': {
    type: 'duration',
    minimum: 1,
    default: '10 min',
    doc: 'A checkpoint that takes longer is given up.',
  },
  'execution.checkpointing.min-pause': {
    type: 'duration',
    default: '0 ms',
    doc: 'Least time between the end of a checkpoint and the next one.',
  },
  'execution.checkpointing.tolerable-failed-checkpoints': {
    type: 'integer',
    minimum: 0,
    default: 0,
    doc: 'How many checkpoints in a row may fail before the job does.',
  },
  'execution.checkpointing.num-retained': {
    type: 'integer',
    minimum: 1,
    default: 1,
    doc: 'How many completed checkpoints are kept.',
  },
  'execution.checkpointing.dir': { type: 'text', doc: 'Directory of checkpoints and of the job record.' },
  'exchange.record-output-max': { type: 'memory', default: '64 mb', doc: 'Most that an operator may emit for one record.' },
  'restart-strategy.type': {
    type: 'enum',
    values: ['none', 'fixed-delay', 'failure-rate', 'exponential-delay'],
    doc: 'What follows a failure. Not set: exponential-delay where checkpointing is on, else none.',
  },
  'restart-strategy.fixed-delay.attempts': {
    type: 'integer',
    minimum: 0,
    default: 1,
    doc: 'How often the job is restarted before it fails.',
  },
  'restart-strategy.fixed-delay.delay': { type: 'duration', default: '1 s', doc: 'Pause before a restart.' },
  'restart-strategy.failure-rate.max-failures-per-interval': {
    type: 'integer',
    minimum: 1,
    default: 1,
    doc: 'Failures in the interval that are still followed by a restart.',
  },
  'restart-strategy.failure-rate.failure-rate-interval': {
    type: 'duration',
    minimum: 1,
    default: '1 min',
    doc: 'The interval in which failures are counted.',
  },
  'restart-strategy.failure-rate.delay': { type: 'duration', default: '1 s', doc: 'Pause before a restart.' },
  'restart-strategy.exponential-delay.initial-backoff': {
    type: 'duration',
    minimum: 1,
    default: '1 s',
    doc: 'Pause before the first restart.',
  },
  'restart-strategy.exponential-delay.max-backoff': { type: 'duration', minimum: 1, default: '1 min', doc: 'Longest pause.' },
  'restart-strategy.exponential-delay.backoff-multiplier': {
    type: 'number',
    minimum: 1,
    default: 1.5,
    doc: 'The pause grows by this factor.',
  },
  'restart-strategy.exponential-delay.reset-backoff-threshold': {
    type: 'duration',
    minimum: 1,
    default: '1 h',
    doc: 'A run without failure of this length makes the pause short again.',
  },
  'restart-strategy.exponential-delay.jitter-factor': {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.1,
    doc: 'Random part of the pause, up or down.',
  },
  'restart-strategy.exponential-delay.attempts-before-reset-backoff': {
    type: 'integer',
    minimum: 1,
    doc: 'Restarts without such a run before the job fails. Not set: no limit.',
  },
} as const;

type OptionTable = typeof OPTIONS;

/** The name of an option. */
export type OptionKey = keyof OptionTable;

/** The value of an option as the engine reads it: durations in ms, memory in bytes. */
export type OptionValue<K extends OptionKey> = OptionTable[K] extends { readonly type: 'boolean' }
  ? boolean
  : OptionTable[K] extends { readonly values: readonly (infer Word)[] }
    ? Word
    : OptionTable[K] extends { readonly type: 'text' }
      ? string
      : number;

/** What a program may set an option to: the value, or text as on the command line ("10 s", "64 mb", "4"). */
export type OptionInput<K extends OptionKey> = OptionValue<K> extends number ? number | string : OptionValue<K>;

/** Options as a program sets them. */
export type JobOptions = { readonly [K in OptionKey]?: OptionInput<K> };

/** The options that are set, as values. */
export type SetOptions = { readonly [K in OptionKey]?: OptionValue<K> };

/** All options: the value, or the default, or undefined where there is none. */
export type ResolvedOptions = {
  readonly [K in OptionKey]: OptionTable[K] extends { readonly default: unknown } ? OptionValue<K> : OptionValue<K> | undefined;
};

/** How often each record counts in state after a failure. */
export type CheckpointingMode = OptionValue<'execution.checkpointing.mode'>;

/** What follows a failure. */
export type RestartStrategyType = OptionValue<'restart-strategy.type'>;
