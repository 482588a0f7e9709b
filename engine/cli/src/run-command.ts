/** `millstream run`. */
import { parseOptions, SIGNAL_EXIT_CODES, type StopSignal } from 'millstream/cluster';
import { namesCluster, splitDefinitions } from './client-configuration.js';
import { asWrongUsage, WrongUsage } from './report-error.js';
import { runProgram } from './run-program.js';

/** The command's options, as they were written. */
export interface RunFlags {
  readonly parallelism?: number;
  readonly checkpointDir?: string;
  readonly checkpointInterval?: string;
  readonly from?: string;
  readonly claimMode?: 'NO_CLAIM' | 'CLAIM';
  readonly allowNonRestoredState?: true;
  readonly check?: true;
  readonly define?: Readonly<Record<string, string>>;
  readonly progress: boolean;
  readonly jobmanager?: string;
  readonly config?: string;
  readonly detached?: true;
  readonly json?: true;
}

/** Runs a program; sets the process's exit code where a signal has ended its job without a checkpoint. */
export async function runCommand(path: string, argv: string[], flags: RunFlags): Promise<void> {
  const { job, client } = splitDefinitions(flags.define);
  const isCluster = await namesCluster({ ...flags, define: client });
  checkFlags(flags, isCluster);
  if (isCluster) {
    const { submitCommand } = await import('./cluster-commands.js');
    const { parallelism: _, ...own } = flags;
    await submitCommand(path, argv, { ...own, define: client, options: optionsOf({ ...flags, define: job }) });
    return;
  }
  const words = process.argv.slice(2);
  let signal: StopSignal | undefined;
  const { outcome } = await runProgram(path, {
    argv,
    progress: flags.progress ? 'all' : 'notes',
    options: optionsOf(flags),
    run: {
      ...(flags.allowNonRestoredState === true && { allowNonRestoredState: true }),
      checked: flags.check ?? false,
      ...(flags.from !== undefined && { from: flags.from }),
    },
    resumeCommand: (checkpoint) => resumeCommand(words, checkpoint),
    onSignal: (received) => {
      signal = received;
    },
  });
  if (outcome?.type === 'cancelled' && signal !== undefined) process.exitCode = SIGNAL_EXIT_CODES[signal];
}

/** What has a meaning on one side only is not ignored on the other. */
function checkFlags({ detached, json, check, progress }: RunFlags, isCluster: boolean): void {
  const wrong = (flag: string, why: string): void => {
    throw new WrongUsage(`Cannot use ${flag} ${why}`);
  };
  if (!isCluster) {
    const why = 'without --jobmanager: the job runs in this process. Leave it out, or say where the cluster is.';
    if (detached === true) wrong('--detached', why);
    if (json === true) wrong('--json', why);
    return;
  }
  if (check === true) wrong('--check', 'on a cluster: checked mode is for jobs in this process.');
  if (!progress) wrong('--no-progress', 'on a cluster: progress is shown for jobs in this process only. Leave it out.');
}

function optionsOf(flags: RunFlags): Readonly<Record<string, unknown>> {
  return readOptions({
    ...(flags.checkpointDir !== undefined && { 'execution.checkpointing.dir': flags.checkpointDir }),
    ...(flags.checkpointInterval !== undefined && { 'execution.checkpointing.interval': flags.checkpointInterval }),
    ...(flags.parallelism !== undefined && { 'parallelism.default': flags.parallelism }),
    ...(flags.claimMode !== undefined && { 'execution.state-recovery.claim-mode': flags.claimMode }),
    ...flags.define,
  });
}

/** Options of the command line: what is wrong with them is wrong usage. */
export function readOptions(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return parseOptions(options);
  } catch (error) {
    throw asWrongUsage(error);
  }
}

/** The command as it was given, from another checkpoint. */
export function resumeCommand(words: readonly string[], checkpoint: string): string {
  const end = words.indexOf('--');
  const own = words.slice(0, end < 0 ? words.length : end);
  const kept = own.filter((word, at) => word !== '--from' && own[at - 1] !== '--from' && !word.startsWith('--from='));
  // Before the program, since its arguments need no -- in front.
  const [command = 'run', ...rest] = kept;
  const all = [command, '--from', checkpoint, ...rest, ...(end < 0 ? [] : words.slice(end))];
  return ['npx millstream', ...all.map(quote)].join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
