/**
 * Builds the graphs of programs that were submitted.
 * Invariant: one program is evaluated at a time.
 */
import { evaluateModule } from '../api/define-job.js';
import type { EvaluationMoment } from '../api/evaluation-sandbox.js';
import { parseProgramArguments } from '../api/program-arguments.js';
import { crc32 } from '../common/checksum.js';
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { Entropy } from '../common/random.js';
import type { JobProgram, Plan } from '../plan/plan.js';
import { requireSamePlan } from '../plan/plan-difference.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import type { ArtifactModule } from './control-messages.js';
import { programFailed } from './program-failure.js';
import { moduleHash, type ProgramStore } from './program-modules.js';
import type { ProgramTrial, TrialRequest } from './program-trial.js';

/** A program, and what it is called with. */
export interface ProgramToRun {
  /** The program, bundled into one ES module. */
  readonly content: Uint8Array;
  /** `process.argv` from the program's name on. */
  readonly argv: readonly string[];
  /** Options that override the program's. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Options that hold where the program does not set them. Default: the JobManager's. */
  readonly defaults?: Readonly<Record<string, unknown>> | undefined;
}

/** A program with its graph. */
export interface EvaluatedProgram {
  readonly program: JobProgram;
  readonly artifact: ProgramArtifact;
  readonly module: ArtifactModule;
}

/** What a {@link ProgramEvaluator} needs. */
export interface ProgramEvaluatorOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly modules: ProgramStore;
  /** Tries programs before they are evaluated in this thread. Default: none is tried. */
  readonly trial?: ProgramTrial | undefined;
  /** Options of jobs that do not set them. Default: none. */
  readonly jobDefaults?: Readonly<Record<string, unknown>> | undefined;
}

/** See the head of this file. */
export class ProgramEvaluator {
  private readonly options: ProgramEvaluatorOptions;
  private evaluating: Promise<unknown> = Promise.resolve();

  constructor(options: ProgramEvaluatorOptions) {
    this.options = options;
  }

  /** Builds the program's graph. Throws PROGRAM_FAILED, PROGRAM_TIMEOUT, INVALID_PLAN, INVALID_OPTION, GRAPH_DIFFERS. */
  async evaluate(program: ProgramToRun): Promise<EvaluatedProgram> {
    return await this.inTurn(program, async (request, module) => {
      const plan = await this.options.trial?.(request);
      const evaluated = await this.evaluateHere(request);
      if (plan !== undefined) requireSamePlan(plan, evaluated.plan);
      return { program: evaluated, artifact: artifactOf(request, evaluated.plan, module), module };
    });
  }

  /** The graph that a program builds, as plain data. Throws as `evaluate`. */
  async plan(program: ProgramToRun): Promise<Plan> {
    const { trial } = this.options;
    return await this.inTurn(program, async (request) =>
      trial === undefined ? (await this.evaluateHere(request)).plan : await trial(request),
    );
  }

  /** One program after another: an evaluation replaces clock, chance and arguments of its thread. */
  private async inTurn<T>(program: ProgramToRun, work: (request: TrialRequest, module: ArtifactModule) => Promise<T>): Promise<T> {
    const { content, argv, options, defaults = this.options.jobDefaults ?? {} } = program;
    const module = { hash: moduleHash(content), content };
    this.options.modules.add(module);
    const url = this.options.modules.urlOf(module.hash) as string;
    const parameters = parseProgramArguments(argv.slice(1));
    const context = {
      mode: 'slot' as const,
      parameters,
      defaults,
      options,
      moment: { now: this.options.clock.now(), seed: this.options.entropy.seed() },
    };
    const done = this.evaluating.then(async () => await work({ url, argv, context }, module));
    this.evaluating = done.catch(() => undefined);
    return await done;
  }

  private async evaluateHere({ url, argv, context }: TrialRequest): Promise<JobProgram> {
    try {
      return await evaluateModule(context, async () => await this.options.modules.load(url, argv));
    } catch (error) {
      throw error instanceof MillstreamError ? error : programFailed(error);
    }
  }
}

function artifactOf({ url, argv, context }: TrialRequest, plan: Plan, { content }: ArtifactModule): ProgramArtifact {
  const moment = context.moment as EvaluationMoment;
  return { url, contentChecksum: crc32(content), parameters: plan.parameters, options: plan.options, argv, moment, plan };
}
