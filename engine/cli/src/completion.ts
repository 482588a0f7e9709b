/**
 * Completion in shells: `millstream completion bash|zsh|fish` prints what the shell has to load, which asks `millstream complete -- <words>`
 * at each press of the key. Loaded for these two commands only.
 */
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { ENDED_JOB_STATES } from 'millstream/cluster';
import { clusterClient } from './client-configuration.js';

/** Commands whose first argument is a job, and whether one that has ended makes sense. */
const JOB_COMMANDS: Readonly<Record<string, 'all' | 'running'>> = {
  info: 'all',
  cancel: 'running',
  stop: 'running',
  savepoint: 'running',
  scale: 'running',
};

/** Commands whose arguments are files, and flags whose values are: the shell knows them best. */
const FILE_COMMANDS: ReadonlySet<string> = new Set(['run', 'explain', 'certs']);
const FILE_FLAGS: ReadonlySet<string> = new Set(['--config', '--checkpoint-dir', '--from', '--savepoint-path']);
/** What a shell takes for: complete names of files. */
const FILES = ':0\n';

/** Somebody waits for the prompt. */
const ANSWER_MS = 1000;

/** Adds both commands to the program; `words` are those to complete, the last one as far as it has been typed. */
export async function addCompletion(program: Command, words: readonly string[]): Promise<void> {
  const root = tab(program, { completionCommandName: 'completion' });
  const [command = ''] = words;
  if (wantsFiles(words)) {
    root.parse = () => void process.stdout.write(FILES);
    return;
  }
  const wanted = JOB_COMMANDS[command];
  const argument = root.commands.get(command)?.arguments.get('job');
  if (wanted === undefined || argument === undefined) return;
  const jobs = await runningJobs(words, wanted);
  argument.handler = (complete) => {
    for (const { id, name } of jobs) complete(id, name);
  };
}

function wantsFiles(words: readonly string[]): boolean {
  if (words.length < 2) return false;
  const isFlag = (words.at(-1) as string).startsWith('-');
  return !isFlag && (FILE_COMMANDS.has(words[0] as string) || FILE_FLAGS.has(words.at(-2) as string));
}

/** Without a cluster that answers there is nothing to complete, which is no error. */
async function runningJobs(words: readonly string[], wanted: 'all' | 'running'): Promise<readonly { id: string; name: string }[]> {
  try {
    const jobmanager = flagValue(words, '--jobmanager');
    const config = flagValue(words, '--config');
    const flags = { ...(jobmanager !== undefined && { jobmanager }), ...(config !== undefined && { config }) };
    const limits = { connectTimeoutMs: ANSWER_MS, idleTimeoutMs: ANSWER_MS, retriesMax: 0, leaderTimeoutMs: 0, onWait: () => undefined };
    const client = await clusterClient(flags, limits);
    const jobs = (await client.jobsOverview()).filter(({ state }) => wanted === 'all' || !ENDED_JOB_STATES.has(state));
    return jobs.map(({ jid, name, state }) => ({ id: jid, name: `${name} (${state})` }));
  } catch {
    return [];
  }
}

function flagValue(words: readonly string[], flag: string): string | undefined {
  const at = words.indexOf(flag);
  return at < 0 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1];
}
