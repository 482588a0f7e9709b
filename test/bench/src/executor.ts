/** What runs the bench's jobs; here: in this process, with the embedded driver. On a cluster: cluster-executor.ts. */
import { pathToFileURL } from 'node:url';
import { MillstreamError } from 'millstream';
import { evaluateModule, LocalExecutor, type RunOutcome, SILENT_OBSERVER } from 'millstream/cluster';
import { processCpuMs } from './figures.js';

/** A completed checkpoint. */
export interface CompletedCheckpoint {
  /** What `restoreFrom` takes. */
  readonly path: string;
  /** Bytes of its files, shared ones of earlier checkpoints left out. */
  readonly bytes: number;
}

export interface BenchJob {
  /** The compiled program, a file with a default export of `defineJob`. */
  readonly program: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Options by key; see the engine's table. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** Sends records between subtasks of one slot through the codec too. */
  readonly forceCodec: boolean;
  /** Samples the delay of each slot's loop every millisecond. */
  readonly samplePauses: boolean;
  /** Starts from this checkpoint. */
  readonly restoreFrom: string | undefined;
  /** Stops the job without a checkpoint; the checkpoints that it has completed stay. */
  readonly signal: AbortSignal;
  /** Called in this thread as soon as a checkpoint is complete. */
  readonly onCheckpoint: (checkpoint: CompletedCheckpoint) => void;
}

/** CPU that all threads of a process have used. */
export interface ProcessCpu {
  readonly pid: number;
  /** Before the job; a first record that its sources report counts instead. */
  readonly startMs: number;
  readonly endMs: number;
}

export interface JobEnd {
  readonly end: 'finished' | 'stopped';
  /** The longest delay of a slot's loop; where asked for. */
  readonly longestPauseMs: number | undefined;
  /** All processes that ran the job. */
  readonly processes: readonly ProcessCpu[];
}

export interface Executor {
  /** Resolves when the job has finished or was stopped; rejects when it failed. */
  run(job: BenchJob): Promise<JobEnd>;
  close(): Promise<void>;
}

/** Runs jobs in worker threads of this process. */
export function openExecutor(): Executor {
  return { run: runJob, close: async () => undefined };
}

async function runJob(job: BenchJob): Promise<JobEnd> {
  const moduleUrl = pathToFileURL(job.program).href;
  const context = { mode: 'client' as const, parameters: job.parameters, options: job.options };
  const program = await evaluateModule(context, async () => (await import(moduleUrl)) as { default?: unknown });
  const startMs = processCpuMs();
  let longestPauseMs = 0;
  let outcome: RunOutcome | undefined;
  const executor = new LocalExecutor({
    moduleUrl,
    argv: [job.program],
    run: {
      forceCodec: job.forceCodec,
      sampleDelays: job.samplePauses,
      ...(job.restoreFrom !== undefined && { from: job.restoreFrom }),
    },
    observer: {
      ...SILENT_OBSERVER,
      metrics: (_slot, _tasks, delayMs) => {
        longestPauseMs = Math.max(longestPauseMs, delayMs);
      },
      checkpointCompleted: ({ path, bytes, final }) => {
        if (path !== undefined && !final) job.onCheckpoint({ path, bytes });
      },
    },
    onRun: (run) => job.signal.addEventListener('abort', () => run.cancel(), { once: true }),
    onOutcome: (end) => {
      outcome = end;
    },
  });
  try {
    await executor.execute(program);
  } catch (error) {
    if (!(error instanceof MillstreamError && error.code === 'JOB_STOPPED')) throw error;
  }
  const endMs = processCpuMs();
  return {
    end: outcome?.type === 'finished' ? 'finished' : 'stopped',
    longestPauseMs: job.samplePauses ? longestPauseMs : undefined,
    processes: [{ pid: process.pid, startMs, endMs }],
  };
}
