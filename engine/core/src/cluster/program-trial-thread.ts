/** The thread of a trial (program-trial.ts): evaluates one program, says what came of it, and is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { evaluateModule } from '../api/define-job.js';
import { MillstreamError } from '../common/errors.js';
import { serializeError } from '../runtime/serialize-error.js';
import { programFailed } from './program-failure.js';
import type { TrialReport, TrialRequest } from './program-trial.js';

const { url, argv, context } = workerData as TrialRequest;

async function evaluate(): Promise<TrialReport> {
  process.argv.splice(1, process.argv.length, ...argv);
  try {
    const { plan } = await evaluateModule(context, async () => (await import(url)) as { readonly default?: unknown });
    return { type: 'built', plan };
  } catch (error) {
    return { type: 'failed', error: serializeError(error instanceof MillstreamError ? error : programFailed(error)) };
  }
}

parentPort?.postMessage(await evaluate());
