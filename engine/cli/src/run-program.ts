/**
 * Runs a program from its source file: bundles it, evaluates it, and runs its job in this process with progress and a clean stop on
 * SIGINT and SIGTERM.
 */
import type { MillstreamError } from 'millstream';
import {
  buildDefinedJob,
  isJobDefinition,
  type JobExecutionResult,
  LocalExecutor,
  type RunObserver,
  type RunOptions,
  type RunOutcome,
  runInEvaluation,
  SILENT_OBSERVER,
} from 'millstream/cluster';
import { bundleProgram } from './bundle.js';
import { createProgress } from './progress.js';
import { parseProgramArguments } from './program-arguments.js';

export interface RunProgramOptions {
  /** The program's own arguments. */
  readonly argv?: readonly string[];
  /** Engine options by key; they override the program's. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly run?: RunOptions;
  /** Show progress. Default: true. */
  readonly progress?: boolean;
  /** Hears what the progress display hears. */
  readonly observer?: Partial<RunObserver>;
  /** A handle on the run, when it starts. */
  readonly onRun?: (run: ProgramRun) => void;
}

/** What can be done to a run from outside. */
export interface ProgramRun {
  /** Ends the run, with a checkpoint to resume from if there is a checkpoint directory. */
  stop(): void;
  /** Kills a slot as a crash would. */
  killSlot(slot: number): void;
}

export interface ProgramEnd {
  readonly outcome: RunOutcome | undefined;
  readonly result: JobExecutionResult | undefined;
}

/** Resolves when the program has ended. Throws the job's error. */
export async function runProgram(path: string, options: RunProgramOptions = {}): Promise<ProgramEnd> {
  const bundle = await bundleProgram(path);
  const argv = options.argv ?? [];
  const progress = options.progress === false ? undefined : createProgress(process.stderr);
  let outcome: RunOutcome | undefined;
  let running: ProgramRun | undefined;
  const stop = (): void => {
    progress?.note('Stopping …');
    if (running === undefined) process.exit(130);
    running.stop();
  };
  const executor = new LocalExecutor({
    run: options.run ?? {},
    moduleUrl: bundle.url,
    argv,
    observer: combine(progress?.observer, options.observer),
    onRun: (run) => {
      running = run;
      options.onRun?.(run);
    },
    onOutcome: (end) => {
      outcome = end;
    },
  });
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    const result = await evaluate(bundle.url, path, argv, options, executor);
    progress?.end(outcome);
    return { outcome, result };
  } catch (error) {
    progress?.end(undefined);
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

async function evaluate(
  url: string,
  path: string,
  argv: readonly string[],
  options: RunProgramOptions,
  executor: LocalExecutor,
): Promise<JobExecutionResult | undefined> {
  process.argv.splice(1, process.argv.length, path, ...argv);
  const context = { mode: 'client' as const, parameters: lenientParameters(argv), options: options.options ?? {}, executor };
  const module = await runInEvaluation(context, async () => (await import(url)) as { default?: unknown });
  if (!isJobDefinition(module.default)) return undefined;
  const parameters = parseProgramArguments(argv);
  const program = await buildDefinedJob(module.default, { ...context, parameters });
  return await executor.execute(program);
}

/** Programs in script form read `process.argv` themselves and may have arguments of any form. */
export function lenientParameters(argv: readonly string[]): Record<string, string> {
  try {
    return parseProgramArguments(argv);
  } catch {
    return {};
  }
}

function combine(first: RunObserver | undefined, second: Partial<RunObserver> | undefined): RunObserver {
  const base = first ?? SILENT_OBSERVER;
  if (second === undefined) return base;
  return {
    metrics: (slot, tasks, delay) => {
      base.metrics(slot, tasks, delay);
      second.metrics?.(slot, tasks, delay);
    },
    collected: (nodeId, values) => {
      base.collected(nodeId, values);
      second.collected?.(nodeId, values);
    },
    checkpointCompleted: (checkpoint) => {
      base.checkpointCompleted(checkpoint);
      second.checkpointCompleted?.(checkpoint);
    },
    checkpointFailed: (epoch, reason) => {
      base.checkpointFailed(epoch, reason);
      second.checkpointFailed?.(epoch, reason);
    },
    running: () => {
      base.running();
      second.running?.();
    },
    attemptStarted: (attempt, graph, from) => {
      base.attemptStarted(attempt, graph, from);
      second.attemptStarted?.(attempt, graph, from);
    },
    restarting: (error: MillstreamError, delayMs) => {
      base.restarting(error, delayMs);
      second.restarting?.(error, delayMs);
    },
  };
}
