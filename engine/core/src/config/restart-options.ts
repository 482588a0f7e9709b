/** Options of what follows a failure. */

export const RESTART_OPTIONS = {
  'restart-strategy.type': {
    type: 'enum',
    values: ['none', 'fixed-delay', 'failure-rate', 'exponential-delay'],
    scope: 'job',
    doc: 'What follows a failure. Not set: exponential-delay where checkpointing is on, else none.',
  },
  'restart-strategy.fixed-delay.attempts': {
    type: 'integer',
    minimum: 0,
    default: 1,
    scope: 'job',
    doc: 'How often the job is restarted before it fails.',
  },
  'restart-strategy.fixed-delay.delay': { type: 'duration', default: '1 s', scope: 'job', doc: 'Pause before a restart.' },
  'restart-strategy.failure-rate.max-failures-per-interval': {
    type: 'integer',
    minimum: 1,
    default: 1,
    scope: 'job',
    doc: 'Failures in the interval that are still followed by a restart.',
  },
  'restart-strategy.failure-rate.failure-rate-interval': {
    type: 'duration',
    minimum: 1,
    default: '1 min',
    scope: 'job',
    doc: 'The interval in which failures are counted.',
  },
  'restart-strategy.failure-rate.delay': { type: 'duration', default: '1 s', scope: 'job', doc: 'Pause before a restart.' },
  'restart-strategy.exponential-delay.initial-backoff': {
    type: 'duration',
    minimum: 1,
    default: '1 s',
    scope: 'job',
    doc: 'Pause before the first restart.',
  },
  'restart-strategy.exponential-delay.max-backoff': { type: 'duration', minimum: 1, default: '1 min', scope: 'job', doc: 'Longest pause.' },
  'restart-strategy.exponential-delay.backoff-multiplier': {
    type: 'number',
    minimum: 1,
    default: 1.5,
    scope: 'job',
    doc: 'The pause grows by this factor.',
  },
  'restart-strategy.exponential-delay.reset-backoff-threshold': {
    type: 'duration',
    minimum: 1,
    default: '1 h',
    scope: 'job',
    doc: 'A run without failure of this length makes the pause short again.',
  },
  'restart-strategy.exponential-delay.jitter-factor': {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.1,
    scope: 'job',
    doc: 'Random part of the pause, up or down.',
  },
  'restart-strategy.exponential-delay.attempts-before-reset-backoff': {
    type: 'integer',
    minimum: 1,
    scope: 'job',
    doc: 'Restarts without such a run before the job fails. Not set: no limit.',
  },
} as const;
