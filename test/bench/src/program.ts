/** The program that the bench submits: the workload that its parameters name. */
import { defineJob, type JobDefinition } from 'millstream';
import { decodeParameters } from './workload-parameters.js';
import { buildWorkload } from './workloads.js';

const job: JobDefinition = defineJob((env, parameters) => {
  buildWorkload(env, decodeParameters(parameters));
});

export default job;
