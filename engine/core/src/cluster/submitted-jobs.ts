/**
 * The jobs that a cluster runs, kept where the next leader finds them: a register with the list, beside it the programs.
 *
 *     <directory>/jobs.<n>            { writer, jobs: [{ id, module, argv, options, defaults, requirements, … }] }
 *                /<hash>.program      a program's module
 *
 * Invariants: 1. a job is listed only after its program is durable; 2. a change is made on the newest list only: a leader that was deposed
 * meanwhile gets JOB_RECORD_CONFLICT; 3. a change whose answer was lost is settled before the next one.
 */
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import type { Register } from '../checkpoint/register.js';
import { sealJson, unsealJson } from '../checkpoint/sealed-json.js';
import { MillstreamError } from '../common/errors.js';
import type { ArtifactModule } from './control-messages.js';
import type { ResourceRequirements } from './gateway/job-info.js';
import { moduleHash } from './program-modules.js';

/** A job as it was submitted. */
export interface SubmittedJob {
  readonly id: string;
  /** What it is called; absent in lists of older versions. */
  readonly name?: string;
  /** The hash of its program. */
  readonly module: string;
  readonly argv: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  /** The cluster's options of jobs as they were then: under a leader that is configured differently the job stays what it is. */
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly from: string | undefined;
  readonly allowNonRestoredState: boolean;
  /** Bounds of its vertices' parallelism, where they have been changed since. */
  readonly requirements?: ResourceRequirements | undefined;
}

const FORMAT = 'millstream.jobs';

/** The list of a cluster's jobs, for the next leader. */
export class SubmittedJobs {
  private readonly files: CheckpointFiles;
  private readonly directory: string;
  private readonly register: Register;
  private readonly writer: string;
  private readonly term: number;
  /** Of the list that was read last. */
  private newestTerm = 0;
  private version = 0;
  private jobs: readonly SubmittedJob[] = [];

  /** `directory` exists; `writer` differs from every other process's; `term`: the leader's who changes it. */
  constructor(files: CheckpointFiles, directory: string, writer: string, term: number = 0) {
    this.files = files;
    this.directory = directory;
    this.writer = writer;
    this.term = term;
    this.register = files.register(`${directory}/jobs`, writer);
  }

  /** Reads the list. Throws CHECKPOINT_CORRUPT. */
  async load(): Promise<readonly SubmittedJob[]> {
    const newest = await this.register.read();
    if (newest === undefined) return [];
    const unsealed = unsealJson(newest.content);
    const list = unsealed.whole
      ? (unsealed.value as { readonly format?: unknown; readonly term?: number; readonly jobs: readonly SubmittedJob[] })
      : undefined;
    if (list?.format !== FORMAT) {
      throw new MillstreamError(
        'CHECKPOINT_CORRUPT',
        `Cannot read the list of jobs in '${this.directory}': it is damaged. Submit the jobs again, from their last checkpoints.`,
      );
    }
    this.version = newest.version;
    this.jobs = list.jobs;
    this.newestTerm = list.term ?? 0;
    return this.jobs;
  }

  /**
   * Reads the list, and writes it anew as it is: whoever led before can change it no more, however long it takes to notice. Throws
   * CHECKPOINT_CORRUPT, JOB_RECORD_CONFLICT.
   */
  async takeOver(): Promise<readonly SubmittedJob[]> {
    // Jobs that were found at an earlier try may be ending now.
    return await this.next(async () => {
      for (;;) {
        const jobs = await this.load();
        // A leader that stood still since it was elected, and has not noticed that another was elected after it.
        if (this.newestTerm > this.term) throw this.conflict();
        if (!(await this.register.compareAndSet(this.version, this.seal(jobs)))) continue;
        this.version++;
        return jobs;
      }
    });
  }

  async module(hash: string): Promise<ArtifactModule> {
    const content = await this.files.read(this.pathOf(hash));
    if (content !== undefined && moduleHash(content) === hash) return { hash, content };
    throw new MillstreamError(
      'ARTIFACT_CORRUPT',
      `Cannot read the program ${hash} in '${this.directory}': ${content === undefined ? 'it is gone' : 'it is damaged'}. Submit the job again, from its last checkpoint.`,
    );
  }

  /** Changes run one after another. */
  private changing: Promise<void> = Promise.resolve();

  async add(job: SubmittedJob, content: Uint8Array): Promise<void> {
    await this.next(async () => await this.addNow(job, content));
  }

  async remove(id: string): Promise<void> {
    await this.next(async () => await this.removeNow(id));
  }

  /** The job goes on with these bounds under the next leader, too. */
  async require(id: string, requirements: ResourceRequirements): Promise<void> {
    await this.next(
      async () =>
        await this.change((jobs) =>
          jobs.some((job) => job.id === id) ? jobs.map((job) => (job.id === id ? { ...job, requirements } : job)) : jobs,
        ),
    );
  }

  private async next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.changing.then(work);
    this.changing = done.then(
      () => undefined,
      () => undefined,
    );
    return await done;
  }

  private async addNow(job: SubmittedJob, content: Uint8Array): Promise<void> {
    if (!(await this.isStored(job.module))) {
      // A leader that died while it wrote may have left the beginning of it.
      await this.files.remove(this.pathOf(job.module));
      const file = this.files.create(this.pathOf(job.module), 'keep the program');
      file.write(content.slice());
      await file.finish();
    }
    await this.change((jobs) => [...jobs.filter(({ id }) => id !== job.id), job]);
  }

  private async isStored(hash: string): Promise<boolean> {
    const content = await this.files.read(this.pathOf(hash));
    return content !== undefined && moduleHash(content) === hash;
  }

  private async removeNow(id: string): Promise<void> {
    let gone: SubmittedJob | undefined;
    await this.change((jobs) => {
      gone = jobs.find((each) => each.id === id);
      return gone === undefined ? jobs : jobs.filter((each) => each !== gone);
    });
    if (gone === undefined || this.jobs.some(({ module }) => module === gone?.module)) return;
    await this.files.remove(this.pathOf(gone.module)).catch(() => undefined);
  }

  private async change(update: (jobs: readonly SubmittedJob[]) => readonly SubmittedJob[]): Promise<void> {
    if (this.unconfirmed !== undefined) await this.write(this.unconfirmed);
    const jobs = update(this.jobs);
    if (jobs === this.jobs) return;
    await this.write(jobs);
    await this.register.removeLeftovers().catch(() => undefined);
  }

  /** A list of which it is not known whether it was written: it is written before any other. */
  private unconfirmed: readonly SubmittedJob[] | undefined;

  private async write(jobs: readonly SubmittedJob[]): Promise<void> {
    this.unconfirmed = jobs;
    const changed = await this.register.compareAndSet(this.version, this.seal(jobs));
    this.unconfirmed = undefined;
    if (!changed) {
      throw this.conflict();
    }
    this.version++;
    this.jobs = jobs;
  }

  /** With its writer: two leaders that write the same list at once must not both have written it. */
  private seal(jobs: readonly SubmittedJob[]): Uint8Array {
    return sealJson({ format: FORMAT, writer: this.writer, term: this.term, jobs });
  }

  private conflict(): MillstreamError {
    return new MillstreamError(
      'JOB_RECORD_CONFLICT',
      `Cannot change the list of jobs in '${this.directory}': another JobManager leads now.`,
    );
  }

  private pathOf(hash: string): string {
    return `${this.directory}/${hash}.program`;
  }
}
