/** The command `millstream`: reads its words, and loads what they ask for. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { CertsFlags } from './certs-command.js';
import type { ClusterFlags } from './cluster-commands.js';
import type { ConfigFlags } from './config-command.js';
import { CLOSED_PIPE_EXIT_CODE, USAGE_EXIT_CODE } from './exit-codes.js';
import type { ExplainFlags } from './explain-command.js';
import type { LocalClusterFlags } from './local-cluster-command.js';
import { ownVersion } from './own-version.js';
import type { ProcessFlags } from './process-commands.js';
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

function listed(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

const program = new Command('millstream')
  .description('Stateful stream processing for TypeScript')
  .version(ownVersion())
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
  .addOption(
    new Option(
      '--claim-mode <mode>',
      'with --from: CLAIM makes the checkpoint part of the job, which removes it when it needs it no longer (default: NO_CLAIM)',
    ).choices(['NO_CLAIM', 'CLAIM']),
  )
  .option('--allow-non-restored-state', 'leave state behind whose operator the program no longer has')
  .option('--check', 'deep-freeze records and compare state, to find programs that change what they must not (slow)')
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue)
  .option('--no-progress', 'no progress on the terminal')
  .option('--jobmanager <host:port>', 'run on the cluster whose REST interface is there, instead of in this process')
  .option('--config <file>', 'YAML file that says where the cluster is (default: config.yaml in the directory $MILLSTREAM_CONF_DIR)')
  .option('-d, --detached', 'with --jobmanager: do not wait for the end of the job')
  .option('--json', 'with --jobmanager: print JSON')
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

program
  .command('config')
  .description('print the options of the engine: values, where they come from, what they mean')
  .option('--config <file>', 'YAML file (default: config.yaml in the directory $MILLSTREAM_CONF_DIR)')
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue)
  .option('--all', 'options without a value too')
  .option('--json', 'print JSON')
  .action(async (flags: ConfigFlags) => {
    const { configCommand } = await import('./config-command.js');
    await configCommand(flags);
  });

program
  .command('jobmanager')
  .description('run the JobManager of a cluster')
  .option('--config <file>', 'YAML file (default: config.yaml in the directory $MILLSTREAM_CONF_DIR)')
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue)
  .action(async (flags: ProcessFlags) => {
    const { jobManagerCommand } = await import('./process-commands.js');
    await jobManagerCommand(flags);
  });

program
  .command('taskmanager')
  .description('run a TaskManager of a cluster')
  .option('--config <file>', 'YAML file (default: config.yaml in the directory $MILLSTREAM_CONF_DIR)')
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue)
  .action(async (flags: ProcessFlags) => {
    const { taskManagerCommand } = await import('./process-commands.js');
    await taskManagerCommand(flags);
  });

program
  .command('cluster')
  .description('a cluster on this machine')
  .command('start')
  .description('run a JobManager and TaskManagers, each a process of its own, until a signal')
  .option('-t, --taskmanagers <number>', 'TaskManagers (default: minicluster.number-of-taskmanagers)', positiveInteger)
  .option('-s, --slots <number>', 'slots of each (default: taskmanager.numberOfTaskSlots)', positiveInteger)
  .option('--config <file>', 'YAML file (default: config.yaml in the directory $MILLSTREAM_CONF_DIR)')
  .option('-D, --define <key=value>', 'set an option of the engine, may be repeated', keyValue)
  .action(async (flags: LocalClusterFlags) => {
    const { localClusterCommand } = await import('./local-cluster-command.js');
    await localClusterCommand(flags);
  });

program
  .command('certs')
  .description('make certificates for the processes of a cluster, and their authority if there is none')
  .argument('<directory>', 'where they go')
  .option('-n, --name <name>', 'name of a certificate, may be repeated (default: cluster)', listed)
  .option('--host <host>', 'name or address under which the processes are reached, may be repeated (default: this machine)', listed)
  .option('--days <number>', 'validity (default: 365)', positiveInteger)
  .option('--overwrite', 'replace certificates of the same names')
  .action(async (directory: string, flags: CertsFlags) => {
    const { certsCommand } = await import('./certs-command.js');
    await certsCommand(directory, flags);
  });

/** A command that asks a cluster. */
function clusterCommand(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--jobmanager <host:port>', 'REST interface of the cluster, or of its JobManagers: one:8081,two:8081 (default: localhost:8081)')
    .option('--config <file>', 'YAML file (default: config.yaml in the directory $MILLSTREAM_CONF_DIR)')
    .option('-D, --define <key=value>', 'set an option of the client, may be repeated', keyValue)
    .option('--json', 'print JSON');
}

clusterCommand('list', 'list the jobs of a cluster').action(async (flags: ClusterFlags) => {
  const { listCommand } = await import('./cluster-commands.js');
  await listCommand(flags);
});

clusterCommand('info', 'show a job of a cluster')
  .argument('<job>', 'id of the job')
  .action(async (job: string, flags: ClusterFlags) => {
    const { infoCommand } = await import('./cluster-commands.js');
    await infoCommand(job, flags);
  });

clusterCommand('cancel', 'end a job at once; its completed checkpoints stay')
  .argument('<job>', 'id of the job')
  .action(async (job: string, flags: ClusterFlags) => {
    const { cancelCommand } = await import('./cluster-commands.js');
    await cancelCommand(job, flags);
  });

clusterCommand('savepoint', 'take a savepoint of a running job, or remove one')
  .argument('[job]', 'id of the job')
  .argument('[directory]', 'where to put it (default: option execution.checkpointing.savepoint-dir)')
  .option('--dispose <path>', 'remove the savepoint in this directory instead, unless a job needs it')
  .action(async (job: string | undefined, directory: string | undefined, flags: ClusterFlags & { dispose?: string }) => {
    const { disposeCommand, savepointCommand } = await import('./cluster-commands.js');
    if (flags.dispose !== undefined) await disposeCommand(flags.dispose, job, flags);
    else await savepointCommand(job, directory, flags);
  });

clusterCommand('scale', 'run a job on at another parallelism, from a checkpoint taken for it')
  .argument('<job>', 'id of the job')
  .requiredOption('-p, --parallelism <number>', 'subtasks of all operators that have the largest number now', positiveInteger)
  .action(async (job: string, flags: ClusterFlags & { parallelism: number }) => {
    const { scaleCommand } = await import('./cluster-commands.js');
    await scaleCommand(job, flags);
  });

clusterCommand('stop', 'end a job with a savepoint to go on from')
  .argument('<job>', 'id of the job')
  .option('-p, --savepoint-path <directory>', 'where to put it (default: option execution.checkpointing.savepoint-dir)')
  .option('--drain', 'send everything on as at the end of the input first: windows fire, and the job cannot go on from there')
  .action(async (job: string, flags: ClusterFlags & { savepointPath?: string; drain?: true }) => {
    const { stopCommand } = await import('./cluster-commands.js');
    await stopCommand(job, flags);
  });

const [asked, , ...words] = process.argv.slice(2);
if (asked === 'completion' || asked === 'complete') {
  const { addCompletion } = await import('./completion.js');
  await addCompletion(program, words);
} else {
  program
    .command('completion')
    .description('print what a shell loads to complete commands, flags and jobs')
    .argument('<shell>', 'bash, zsh or fish');
}

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
