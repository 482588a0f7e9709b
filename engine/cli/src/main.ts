/** The command `millstream`: reads its words, and loads what they ask for. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CLOSED_PIPE_EXIT_CODE, USAGE_EXIT_CODE } from './exit-codes.js';
import type { ExplainFlags } from './explain-command.js';
import type { RunFlags } from './run-command.js';

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

function keyValue(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

const program = new Command('millstream')
  .description('Stateful stream processing for TypeScript')
  .version(version())
  .showHelpAfterError('Run "millstream --help" for usage. Arguments of the program itself follow after --.')
  .enablePositionalOptions()
  .exitOverride();

program
  .command('run')
  .description('run a program in this process, in one slot per degree of parallelism')
  .argument('<program>', 'TypeScript or JavaScript file')
  .argument('[arguments...]', 'program arguments, after --: --name value pairs become parameters of defineJob')
  .option('-p, --parallelism <number>', 'subtasks per operator (default: as the program says, else 1)', positiveInteger)
  .option('--checkpoint-dir <directory>', 'where checkpoints go')
  .option('--checkpoint-interval <duration>', 'time between checkpoints, such as "10 s"')
  .option('--from <path>', 'start from a checkpoint, a savepoint or the latest checkpoint of a job directory')
  .option('--allow-non-restored-state', 'leave state behind whose operator the program no longer has')
  .option('--check', 'deep-freeze records and compare state, to find programs that change what they must not (slow)')
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue)
  .option('--no-progress', 'no progress on the terminal')
  .action(async (path: string, argv: string[], flags: RunFlags) => {
    const { runCommand } = await import('./run-command.js');
    await runCommand(path, argv, flags);
  });

program
  .command('explain')
  .description('print the plan, its chains and the edges between them')
  .argument('<program>', 'TypeScript or JavaScript file')
  .argument('[arguments...]', 'program arguments, after --')
  .option('-p, --parallelism <number>', 'subtasks per operator', positiveInteger)
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue)
  .option('--json', 'print JSON')
  .action(async (path: string, argv: string[], flags: ExplainFlags) => {
    const { explainCommand } = await import('./explain-command.js');
    await explainCommand(path, argv, flags);
  });

async function fail(error: unknown): Promise<void> {
  const { reportError } = await import('./report-error.js');
  process.exitCode = reportError(error);
}

// What a program throws outside of its evaluation, in a timer say: the process ends, as without the command.
process.on('uncaughtException', (error) => {
  void fail(error).finally(() => process.exit());
});

// Whoever reads the output has seen enough (millstream run … | head): end as other commands do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(CLOSED_PIPE_EXIT_CODE);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  else await fail(error);
}
