/** Runs a compiled job of test/jobs in this process, for end-to-end tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MillstreamError } from 'millstream';
import {
  evaluateModule,
  type JobRun,
  LocalExecutor,
  type RunObserver,
  type RunOptions,
  type RunOutcome,
  SILENT_OBSERVER,
} from 'millstream/cluster';

export interface RunJobOptions {
  readonly parameters: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly run?: RunOptions;
  readonly observer?: Partial<RunObserver>;
  readonly onRun?: (run: JobRun) => void;
}

/** `name`: a file of test/jobs, without its ending. */
export async function runJob(name: string, options: RunJobOptions): Promise<RunOutcome> {
  const file = fileURLToPath(new URL(`../dist/jobs/${name}.js`, import.meta.url));
  const moduleUrl = pathToFileURL(file).href;
  const program = await evaluateModule(
    { mode: 'client', parameters: options.parameters, options: options.options ?? {} },
    async () => (await import(/* @vite-ignore */ moduleUrl)) as { default?: unknown },
  );
  let outcome: RunOutcome | undefined;
  const executor = new LocalExecutor({
    moduleUrl,
    argv: [file],
    run: options.run ?? {},
    observer: { ...SILENT_OBSERVER, ...options.observer },
    onOutcome: (end) => {
      outcome = end;
    },
    ...(options.onRun !== undefined && { onRun: options.onRun }),
  });
  try {
    await executor.execute(program);
  } catch (error) {
    if (!(error instanceof MillstreamError && error.code === 'JOB_STOPPED')) throw error;
  }
  return outcome as RunOutcome;
}

/** All lines of the committed files in a directory, parsed. */
export function readLines<T>(directory: string): T[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
