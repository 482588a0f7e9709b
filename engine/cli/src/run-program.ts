/**
 * Runs a program from its source file: bundles it, evaluates it, and runs its job in this process with progress and a clean stop on
 * SIGINT and SIGTERM.
 */
import { resolve as resolvePath } from 'node:path';
import { MillstreamError } from 'millstream';
import {
  buildDefinedJob,
  createMoment,
  isJobDefinition,
  type JobExecutionResult,
  type JobProgram,
  LocalExecutor,
  noJobError,
  parseProgramArguments,
  type RunObserver,
  type RunOptions,
  type RunOutcome,
  runInEvaluation,
  SIGNAL_EXIT_CODES,
  type StopSignal,
  stopOnSignals,
} from 'millstream/cluster';
import { bundleProgram } from './bundle.js';
import { combineObservers } from './combine-observers.js';
import { createProgress, type ProgressLevel } from './progress.js';

/** Settings of `runProgram`. All optional. */
export interface RunProgramOptions {
  /** The program's own arguments. */
  readonly argv?: readonly string[];
  /** Engine options by key; they override the program's. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly run?: RunOptions;
  /** What is shown on standard error. Default: 'all'. */
  readonly progress?: ProgressLevel;
  /** Hears what the progress display hears. */
  readonly observer?: Partial<RunObserver>;
  /** A handle on the run, when it starts. */
  readonly onRun?: (run: ProgramRun) => void;
  /** The command that goes on from a checkpoint, for the message at a stop. */
  readonly resumeCommand?: (checkpoint: string) => string;
  /** Hears of the signal that stops the run. */
  readonly onSignal?: (signal: StopSignal) => void;
}

/** What can be done to a run from outside. */
export interface ProgramRun {
  /** Ends the run, with a checkpoint to resume from if there is a checkpoint directory. */
  stop(): void;
  /** Kills a slot as a crash would. */
  killSlot(slot: number): void;
  /** The directory of the last complete checkpoint, if one is kept. */
  readonly lastCheckpoint: string | undefined;
}

/** How a program ended; both are undefined if it executed no job. */
export interface ProgramEnd {
  readonly outcome: RunOutcome | undefined;
  /** Undefined if the job did not end by itself. */
  readonly result: JobExecutionResult | undefined;
}

/** Resolves when the program has ended. Throws the job's error. */
export async function runProgram(path: string, options: RunProgramOptions = {}): Promise<ProgramEnd> {
  const bundle = await bundleProgram(path);
  const argv = options.argv ?? [];
  const progress = createProgress(process.stderr, { level: options.progress ?? 'all', resumeCommand: options.resumeCommand });
  let outcome: RunOutcome | undefined;
  let running: ProgramRun | undefined;
  const signals = stopOnSignals((signal) => {
    // Before the job runs and after it has ended there is nothing to save.
    if (running === undefined || outcome !== undefined) process.exit(SIGNAL_EXIT_CODES[signal]);
    options.onSignal?.(signal);
    progress.stopping(signal);
    running.stop();
  });
  const executor = new LocalExecutor({
    run: options.run ?? {},
    moduleUrl: bundle.url,
    argv: [resolvePath(path), ...argv],
    observer: combineObservers(progress.observer, options.observer),
    onRun: (run) => {
      running = run;
      progress.began();
      options.onRun?.(run);
    },
    onOutcome: (end) => {
      outcome = end;
      progress.ended(end);
    },
  });
  try {
    const result = await evaluate(bundle.url, path, argv, options, executor);
    return { outcome, result };
  } catch (error) {
    const stopped = outcome !== undefined && error instanceof MillstreamError && error.code === 'JOB_STOPPED';
    if (stopped) return { outcome, result: undefined };
    if (running !== undefined && outcome === undefined) progress.failed(running.lastCheckpoint);
    throw error;
  } finally {
    progress.close();
    signals.release();
    bundle.remove();
  }
}

async function evaluate(
  url: string,
  path: string,
  argv: readonly string[],
  options: RunProgramOptions,
  executor: LocalExecutor,
): Promise<JobExecutionResult | undefined> {
  presentAsMain(path, argv);
  let job: Promise<unknown> | undefined;
  const started = <R>(run: Promise<R>): Promise<R> => {
    job = run;
    return run;
  };
  const context = {
    mode: 'client' as const,
    parameters: lenientParameters(argv),
    options: options.options ?? {},
    moment: createMoment(),
    executor: {
      execute: async (program: JobProgram) => await started(executor.execute(program)),
      collect: async (program: JobProgram) => await started(executor.collect(program)),
    },
  };
  const module = await runInEvaluation(context, async () => (await import(url)) as { default?: unknown });
  if (isJobDefinition(module.default)) {
    const program = await buildDefinedJob(module.default, { ...context, parameters: parseProgramArguments(argv) });
    return await executor.execute(program);
  }
  if (job === undefined) throw noJobError();
  // A program need not wait for its job; and if it fails, that is the program's to handle.
  await job.catch(() => undefined);
  return undefined;
}

/** The program sees itself as the process's main module. */
export function presentAsMain(path: string, argv: readonly string[]): void {
  process.argv.splice(1, process.argv.length, resolvePath(path), ...argv);
  process.setSourceMapsEnabled(true);
}

/** Programs in script form read `process.argv` themselves and may have arguments of any form. */
export function lenientParameters(argv: readonly string[]): Record<string, string> {
  try {
    return parseProgramArguments(argv);
  } catch {
    return {};
  }
}
