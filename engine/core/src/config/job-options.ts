/** Options of a job, without those of its checkpoints and restarts. */

export const JOB_OPTIONS = {
  'parallelism.default': {
    type: 'integer',
    minimum: 1,
    maximum: 32768,
    default: 1,
    scope: 'job',
    doc: 'Subtasks of each operator that does not set its own number.',
  },
  'pipeline.name': { type: 'text', scope: 'job', doc: "The job's name, where the program gives none." },
  'pipeline.max-parallelism': {
    type: 'integer',
    minimum: 1,
    maximum: 32768,
    scope: 'job',
    doc: 'Number of key groups, the upper bound of parallelism; fixed by the first checkpoint. Not set: 128, more from parallelism 86 on.',
  },
  'pipeline.auto-watermark-interval': {
    type: 'duration',
    default: '200 ms',
    scope: 'job',
    doc: 'How often watermark generators are asked.',
  },
  'pipeline.operator-chaining.enabled': { type: 'boolean', default: true, scope: 'job', doc: 'Whether operators are fused into chains.' },
  'execution.buffer-timeout.interval': {
    type: 'duration',
    disabled: true,
    default: '100 ms',
    scope: 'job',
    doc: 'How long a record may wait for a batch to fill before it travels. 0: not at all; -1: until the batch is full.',
  },
  'exchange.record-output-max': { type: 'memory', default: '64 mb', scope: 'job', doc: 'Most that an operator may emit for one record.' },
} as const;
