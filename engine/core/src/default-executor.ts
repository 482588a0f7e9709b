/** What `execute` does unless something else says so: the embedded driver, loaded only when a job is executed. */
import { type JobExecutor, setJobExecutor } from './api/job-executor.js';

setJobExecutor({
  execute: async (program) => await (await embedded()).execute(program),
  collect: async (program) => await (await embedded()).collect(program),
});

async function embedded(): Promise<JobExecutor> {
  const { LocalExecutor } = await import('./cluster/local-executor.js');
  return new LocalExecutor({ stopOnSignals: true });
}
