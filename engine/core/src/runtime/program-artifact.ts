/**
 * The program as it reaches a slot: an ES module, evaluated again there to find its functions. The graph it builds must be the one that
 * was submitted.
 */
import { readFileSync } from 'node:fs';
import { evaluateModule } from '../api/define-job.js';
import type { EvaluationMoment } from '../api/evaluation-sandbox.js';
import { crc32 } from '../common/checksum.js';
import { MillstreamError } from '../common/errors.js';
import type { JobProgram, Plan } from '../plan/plan.js';
import { requireSamePlan } from '../plan/plan-difference.js';

export interface ProgramArtifact {
  /** The module's URL: the bundle, or the program's own file. */
  readonly url: string;
  /** CRC-32 of the module's file; undefined if it has none. A restart must not run other code than the first attempt. */
  readonly contentChecksum: number | undefined;
  /** What the program is called with. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** `process.argv` from the program's name on, for programs in script form. */
  readonly argv: readonly string[];
  /** What the program sees as now and as chance while it builds its graph. */
  readonly moment: EvaluationMoment;
  /** The submitted plan, to name what differs. */
  readonly plan: Plan;
}

/** Evaluates the module of an artifact, anew each time. */
export type LoadProgram = (artifact: ProgramArtifact) => Promise<{ readonly default?: unknown }>;

/** Evaluates the artifact and checks its graph. Throws PROGRAM_CHANGED, PROGRAM_FAILED, GRAPH_DIFFERS. `load`: see {@link importProgram}. */
export async function evaluateArtifact(artifact: ProgramArtifact, load: LoadProgram = importProgram): Promise<JobProgram> {
  const program = await evaluate(artifact, load);
  requireSamePlan(artifact.plan, program.plan);
  return program;
}

/** Of this thread. */
let evaluations = 0;

/** A thread's own way: imports the module's file, which must be the one that was submitted. */
async function importProgram({ url, contentChecksum, argv }: ProgramArtifact): Promise<{ readonly default?: unknown }> {
  if (contentChecksum !== undefined && crc32(readFileSync(new URL(url))) !== contentChecksum) {
    throw new MillstreamError(
      'PROGRAM_CHANGED',
      `Cannot run this program in a slot: its file ${url} has changed since the job was started. Start the job again, or run it with 'millstream run', which bundles the program once.`,
    );
  }
  process.argv.length = 1;
  process.argv.push(...argv);
  // A module is evaluated once per URL, and every deployment needs an evaluation of its own: nothing of an earlier one is left in it.
  return (await import(evaluations++ === 0 ? url : `${url}#${evaluations}`)) as { readonly default?: unknown };
}

async function evaluate(artifact: ProgramArtifact, load: LoadProgram): Promise<JobProgram> {
  const { parameters, options, moment } = artifact;
  try {
    return await evaluateModule({ mode: 'slot', parameters, options, moment }, async () => await load(artifact));
  } catch (error) {
    if (error instanceof MillstreamError) throw error;
    const failed = new MillstreamError(
      'PROGRAM_FAILED',
      `Cannot build the job's graph in this slot: the program threw ${String(error)}. A slot evaluates the program again; it must not depend on what only the client has.`,
      { cause: error },
    );
    if (error instanceof Error) failed.stack = error.stack ?? '';
    throw failed;
  }
}
