/**
 * Builds a program's graph in a thread of its own first, so that a program that never ends, ends the process or takes all memory while it
 * is loaded does so there: an accident is an error of its submission and nothing else. Programs are trusted all the same: one that wants to
 * tell threads apart can.
 *
 *     module ─▶ worker thread: evaluate ──plan──▶ it is evaluated in this thread too
 *                  │ throws, exits, takes too long, takes too much ──▶ PROGRAM_FAILED, PROGRAM_TIMEOUT; the thread is gone
 */
import { Worker } from 'node:worker_threads';
import type { EvaluationContext } from '../api/evaluation.js';
import { type ScheduledCall, systemClock } from '../common/clock.js';
import { MillstreamError, textOf } from '../common/errors.js';
import type { Plan } from '../plan/plan.js';
import { deserializeError } from '../runtime/serialize-error.js';
import type { SerializedError } from '../runtime/slot-messages.js';

/** A program to try; plain data. */
export interface TrialRequest {
  /** Of its module. */
  readonly url: string;
  /** `process.argv` from the program's name on. */
  readonly argv: readonly string[];
  readonly context: Omit<EvaluationContext, 'executor' | 'onProgram'>;
}

/** What the thread says. */
export type TrialReport = { readonly type: 'built'; readonly plan: Plan } | { readonly type: 'failed'; readonly error: SerializedError };

/** Builds a program's graph where it can do no harm. Throws what the program throws that is typed, PROGRAM_FAILED, PROGRAM_TIMEOUT. */
export type ProgramTrial = (request: TrialRequest) => Promise<Plan>;

/** The limits of trials. */
export interface ProgramTrialOptions {
  readonly timeoutMs: number;
  /** On the heap and beside it, each. */
  readonly memoryBytes: number;
}

/** How often memory beside the heap is looked at: buffers, which the limits of a thread do not cover. */
const LOOK_MS = 50;
const MEGABYTE = 1 << 20;

/** Tries programs in worker threads of this process. */
export function createProgramTrial({ timeoutMs, memoryBytes }: ProgramTrialOptions): ProgramTrial {
  return async (request) => {
    const worker = new Worker(new URL('./program-trial-thread.js', import.meta.url), {
      name: 'program-trial',
      workerData: request,
      resourceLimits: { maxOldGenerationSizeMb: Math.max(16, Math.floor(memoryBytes / MEGABYTE)) },
      execArgv: ['--enable-source-maps'],
      stdout: true,
      stderr: true,
    });
    // What it prints is printed when it runs.
    worker.stdout.resume();
    worker.stderr.resume();
    const { promise, resolve, reject } = Promise.withResolvers<Plan>();
    const fail = (code: 'PROGRAM_FAILED' | 'PROGRAM_TIMEOUT', found: string, cause?: unknown): void =>
      reject(new MillstreamError(code, `Cannot build the job's graph: ${found}`, { cause }));
    const tooMuch = `the program takes more than ${Math.floor(memoryBytes / MEGABYTE)} MB (jobmanager.program.memory) while it is loaded. Load data in a source or in open(), not while the graph is built.`;
    worker.on('message', (report: TrialReport) => {
      if (report.type === 'built') resolve(report.plan);
      else reject(deserializeError(report.error));
    });
    worker.on('error', (error: unknown) => {
      if ((error as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY') fail('PROGRAM_FAILED', tooMuch, error);
      else fail('PROGRAM_FAILED', `the program threw ${textOf(error)} while it was loaded.`, error);
    });
    worker.on('exit', (code) => {
      const ended = code === 0 || code === 13 ? 'nothing it waits for can happen any more' : 'did it call process.exit?';
      fail('PROGRAM_FAILED', `the program ended its thread (exit code ${code}) before it had one: ${ended}`);
    });
    const timer = systemClock.schedule(timeoutMs, () =>
      fail(
        'PROGRAM_TIMEOUT',
        `the program has not done so within ${timeoutMs / 1000} s (jobmanager.program.timeout). It must end by itself: look for an endless loop, or an await of what never comes.`,
      ),
    );
    const watch = watchMemory(memoryBytes, () => fail('PROGRAM_FAILED', tooMuch));
    try {
      return await promise;
    } finally {
      timer.cancel();
      watch.cancel();
      await worker.terminate();
    }
  };
}

/** Calls once when the process has grown by so much since now. Not exact: it has other things to do as well. */
function watchMemory(limitBytes: number, exceeded: () => void): { cancel(): void } {
  // The heap has a limit of its own; twice as much in all is more than a trial may take.
  const most = process.memoryUsage.rss() + 2 * limitBytes;
  let next: ScheduledCall;
  const look = (): void => {
    if (process.memoryUsage.rss() > most) exceeded();
    else next = systemClock.schedule(LOOK_MS, look);
  };
  next = systemClock.schedule(LOOK_MS, look);
  return { cancel: () => next.cancel() };
}
