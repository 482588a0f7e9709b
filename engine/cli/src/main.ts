/** The command `millstream`. */
import { Command, InvalidArgumentError } from 'commander';
import { explainCommand } from './explain-command.js';
import { runCommand } from './run-command.js';
import { reportAndExit } from './report-error.js';

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

function keyValue(text: string, before: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

const program = new Command('millstream')
  .description('Stateful stream processing for TypeScript teams')
  .version('0.1.0')
  .showHelpAfterError('(run millstream --help for usage)')
  .enablePositionalOptions();

program
  .command('run')
  .description('run a program in this process, in one slot per degree of parallelism')
  .argument('<program>', 'TypeScript or JavaScript file')
  .argument('[arguments...]', 'program arguments, after --: --name value pairs become parameters of defineJob')
  .option('-p, --parallelism <number>', 'subtasks per operator (default: as the program says, else 1)', positiveInteger)
  .option('--checkpoint-dir <directory>', 'where checkpoints go')
  .option('--checkpoint-interval <duration>', 'time between checkpoints, such as "10 s"')
  .option('--from <path>', 'start from a checkpoint, a savepoint or the latest checkpoint of a job directory')
  .option('--allow-non-restored-state', 'leave state behind whose operator the program no longer has', false)
  .option('--check', 'deep-freeze records and compare state, to find programs that change what they must not (slow)', false)
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue, {})
  .option('--no-progress', 'no progress on the terminal')
  .action(reportAndExit(runCommand));

program
  .command('explain')
  .description('print the plan, its chains and the edges between them')
  .argument('<program>', 'TypeScript or JavaScript file')
  .argument('[arguments...]', 'program arguments, after --')
  .option('-p, --parallelism <number>', 'subtasks per operator', positiveInteger)
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue, {})
  .option('--json', 'print JSON', false)
  .action(reportAndExit(explainCommand));

await program.parseAsync();
