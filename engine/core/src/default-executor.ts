/** What `execute` does unless something else says so: the embedded driver, loaded only when a job is executed. */
import { setJobExecutor } from './api/job-executor.js';

setJobExecutor({
  execute: async (program) => await new (await import('./cluster/local-executor.js')).LocalExecutor().execute(program),
  collect: async (program) => await new (await import('./cluster/local-executor.js')).LocalExecutor().collect(program),
});
