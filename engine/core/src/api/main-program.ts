/**
 * Plain `node program.js` for programs that export a job: a job that is the default export of the process's main module runs by itself,
 * with the command line's arguments as its parameters.
 *
 * Never under the command `millstream`, in a slot, or where a program evaluates others: all of these evaluate before they import.
 */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { describeError } from '../common/error-description.js';
import type { JobProgram } from '../plan/plan.js';
import { hasEvaluated } from './evaluation.js';
import { defaultJobExecutor } from './job-executor.js';
import { parseProgramArguments } from './program-arguments.js';

/** Runs `job` once the main module has been evaluated, if it is its default export. */
export function runIfMain(job: object, build: (parameters: Readonly<Record<string, string>>) => Promise<JobProgram>): void {
  const main = process.argv[1];
  const evaluatesText = process.execArgv.some((flag) => /^(-e|--eval|-p|--print|-pe)\b/.test(flag));
  if (!isMainThread || hasEvaluated() || evaluatesText || main === undefined || !existsSync(main)) return;
  run(pathToFileURL(main).href, job, build).catch(report);
}

async function run(main: string, job: object, build: (parameters: Readonly<Record<string, string>>) => Promise<JobProgram>): Promise<void> {
  // Of the main module there is one instance; the import only waits for its evaluation. Node reports its failure.
  const module = (await import(main).catch(() => undefined)) as { readonly default?: unknown } | undefined;
  if (module?.default !== job || hasEvaluated()) return;
  process.setSourceMapsEnabled(true);
  const program = await build(parseProgramArguments(process.argv.slice(2)));
  await defaultJobExecutor().execute(program);
}

function report(error: unknown): void {
  const { code, message, frames } = describeError(error);
  process.stderr.write(
    `${[`error${code === undefined ? '' : ` ${code}`}: ${message}`, ...frames.map((frame) => `    ${frame}`)].join('\n')}\n`,
  );
  process.exitCode = 1;
}
