/** `millstream explain`: the plan and its chains. */
import { buildJobGraph, evaluateModule, explainJobGraph, explainPlan } from 'millstream/cluster';
import { bundleProgram } from './bundle.js';
import { readOptions } from './run-command.js';
import { lenientParameters, presentAsMain } from './run-program.js';

/** The command's options, as they were written. */
export interface ExplainFlags {
  readonly parallelism?: number;
  readonly define?: Record<string, string>;
  readonly json?: true;
}

/** Prints what the program would run. */
export async function explainCommand(path: string, argv: string[], flags: ExplainFlags): Promise<void> {
  const options = readOptions({ ...flags.define, ...(flags.parallelism !== undefined && { 'parallelism.default': flags.parallelism }) });
  const bundle = await bundleProgram(path);
  let text: string;
  try {
    presentAsMain(path, argv);
    const program = await evaluateModule(
      { mode: 'plan-only', parameters: lenientParameters(argv), options },
      async () => (await import(bundle.url)) as { default?: unknown },
    );
    const graph = buildJobGraph(program.plan);
    text =
      flags.json === true
        ? JSON.stringify({ plan: program.plan, jobGraph: graph }, null, 2)
        : `${explainPlan(program.plan)}\n${explainJobGraph(graph)}`;
  } finally {
    bundle.remove();
  }
  // A program in script form waits for ever where it executes: end the process, but not before a pipe has taken everything.
  process.stdout.write(`${text.trimEnd()}\n`, () => process.exit(0));
}
