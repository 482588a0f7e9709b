/**
 * Runs jobs in this process: the embedded driver behind `execute`, `executeAndCollect` and the command line.
 */
import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createMoment } from '../api/evaluation-sandbox.js';
import type { JobExecutionResult, JobExecutor } from '../api/job-executor.js';
import { crc32 } from '../common/checksum.js';
import { systemClock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { nodeDisk } from '../common/node-disk.js';
import type { JobProgram } from '../plan/plan.js';
import { CollectedParts } from '../runtime/collect-sink.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import { JobRun } from './job-run.js';
import type { RunObserver, RunOutcome } from './job-run-options.js';
import type { RunOptions } from './job-settings.js';
import { endProcess, stopOnSignals } from './stop-signals.js';

/** An observer that hears nothing; spread it and replace what you need. */
export const SILENT_OBSERVER: RunObserver = {
  metrics: () => undefined,
  collected: () => undefined,
  checkpointTriggered: () => undefined,
  checkpointAcknowledged: () => undefined,
  checkpointCompleted: () => undefined,
  checkpointFailed: () => undefined,
  checkpointDiscarded: () => undefined,
  checkpointRestored: () => undefined,
  running: () => undefined,
  subtaskFinished: () => undefined,
  slotsAwaited: () => undefined,
  attemptFailed: () => undefined,
  attemptStarted: () => undefined,
  restarting: () => undefined,
  regionsRestarting: () => undefined,
  regionsDeploying: () => undefined,
  closeFailed: () => undefined,
};

/** Where nobody listens, what could not be closed is said on standard error. */
const LOGGING_OBSERVER: RunObserver = {
  ...SILENT_OBSERVER,
  closeFailed: ({ code, message }) => process.stderr.write(`warning ${code}: ${message}\n`),
};

/** Settings of a {@link LocalExecutor}. All optional. */
export interface LocalExecutorOptions {
  readonly run?: RunOptions;
  readonly observer?: RunObserver;
  /** The module that slots evaluate; default: the process's main program. */
  readonly moduleUrl?: string;
  /** `process.argv` from the program's name on, in slots. Default: this process's. */
  readonly argv?: readonly string[];
  /** SIGINT and SIGTERM stop a running job, and then the process; unless something else listens to them. Default: false. */
  readonly stopOnSignals?: boolean;
  /** Hears of each run when it is created, to stop it. */
  readonly onRun?: (run: JobRun) => void;
  /** How the last run ended; not 'failed', which is thrown. */
  readonly onOutcome?: (outcome: RunOutcome) => void;
}

/** Runs jobs in worker threads of this process. */
export class LocalExecutor implements JobExecutor {
  private readonly options: LocalExecutorOptions;

  constructor(options: LocalExecutorOptions = {}) {
    this.options = options;
  }

  async execute(program: JobProgram): Promise<JobExecutionResult> {
    return await this.runJob(program, this.options.observer ?? LOGGING_OBSERVER);
  }

  async collect(program: JobProgram): Promise<unknown[]> {
    const observer = this.options.observer ?? LOGGING_OBSERVER;
    const node = program.plan.nodes.find((candidate) => candidate.kind === 'collect');
    const limit = typeof node?.config.limit === 'number' ? node.config.limit : Number.POSITIVE_INFINITY;
    const collected: unknown[] = [];
    const parts = new CollectedParts(program.classes);
    await this.runJob(program, {
      ...observer,
      collected: (nodeId, part) => {
        for (const value of parts.take(nodeId, part)) if (collected.length < limit) collected.push(value);
        if (collected.length >= limit) this.running?.endEarly();
      },
    });
    return collected;
  }

  private running: JobRun | undefined;

  private async runJob(program: JobProgram, observer: RunObserver): Promise<JobExecutionResult> {
    const started = systemClock.monotonic();
    const run = new JobRun({
      program,
      artifact: this.artifact(program),
      options: this.options.run ?? {},
      clock: systemClock,
      disk: nodeDisk,
      observer,
    });
    this.running = run;
    this.options.onRun?.(run);
    const signals = this.options.stopOnSignals === true ? stopOnSignals(() => run.stop()) : undefined;
    let outcome: RunOutcome;
    try {
      outcome = await run.execute();
    } finally {
      signals?.release();
    }
    this.options.onOutcome?.(outcome);
    if (outcome.type !== 'finished') {
      if (signals?.received !== undefined) endProcess(outcome, signals.received);
      throw stoppedError(program.plan.jobName, outcome);
    }
    return { jobName: program.plan.jobName, run: run.run, durationMs: systemClock.monotonic() - started };
  }

  private artifact(program: JobProgram): ProgramArtifact {
    const { plan } = program;
    const url = this.options.moduleUrl ?? mainModuleUrl();
    return {
      url,
      contentChecksum: url.startsWith('file:') ? crc32(readFileSync(new URL(url))) : undefined,
      parameters: plan.parameters,
      options: plan.options,
      argv: this.options.argv ?? process.argv.slice(1),
      moment: program.moment ?? createMoment(),
      plan,
    };
  }
}

function stoppedError(jobName: string, outcome: RunOutcome & { readonly type: 'stopped' | 'cancelled' }): MillstreamError {
  const kept = outcome.checkpoint === undefined ? 'Nothing of it was kept.' : `It can go on from '${outcome.checkpoint}'.`;
  return new MillstreamError('JOB_STOPPED', `Job "${jobName}" was ${outcome.type} before its end. ${kept}`, {
    details: { ...(outcome.checkpoint !== undefined && { checkpoint: outcome.checkpoint }) },
  });
}

function mainModuleUrl(): string {
  const main = process.argv[1];
  if (main === undefined || !existsSync(main)) {
    throw new MillstreamError(
      'PROGRAM_NOT_FOUND',
      `Cannot run the job: slots evaluate the program again, and this process has no program file (${main ?? 'none'}). Put the program into a file and run that.`,
    );
  }
  return pathToFileURL(main).href;
}
