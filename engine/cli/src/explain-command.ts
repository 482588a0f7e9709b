/** `millstream explain`: the plan and its chains. */
import { buildJobGraph, evaluateModule, explainJobGraph, explainPlan } from 'millstream/cluster';
import { bundleProgram } from './bundle.js';
import { lenientParameters } from './run-program.js';

export interface ExplainFlags {
  readonly parallelism?: number;
  readonly define: Record<string, string>;
  readonly json: boolean;
}

export async function explainCommand(path: string, argv: string[], flags: ExplainFlags): Promise<void> {
  const bundle = await bundleProgram(path);
  process.argv.splice(1, process.argv.length, path, ...argv);
  const program = await evaluateModule(
    {
      mode: 'plan-only',
      parameters: lenientParameters(argv),
      options: { ...flags.define, ...(flags.parallelism !== undefined && { 'parallelism.default': flags.parallelism }) },
    },
    async () => (await import(bundle.url)) as { default?: unknown },
  );
  const graph = buildJobGraph(program.plan);
  const text = flags.json
    ? JSON.stringify({ plan: program.plan, jobGraph: graph }, null, 2)
    : `${explainPlan(program.plan)}\n${explainJobGraph(graph)}`;
  process.stdout.write(`${text}\n`);
  // A program in script form waits for ever where it executes.
  process.exit(0);
}
