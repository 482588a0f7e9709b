/**
 * Who submits the job: asks whoever leads until one has taken it, always under the same id, and then waits for its end. It sees the
 * end in the cluster's list of jobs, as the processes do, or hears of it.
 */
import { FileSystems } from '../../checkpoint/file-systems.js';
import { SubmittedJobs } from '../../cluster/submitted-jobs.js';
import { seededRandom } from '../../common/random.js';
import type { SimulatedCluster } from './simulated-cluster.js';
import { SIMULATED_PROGRAM } from './simulated-programs.js';
import type { SimulatedWorld } from './simulated-world.js';

const ASK_MS = 250;
export const JOB_ID = '00000000000000000000000000000001';

/** What is submitted. */
export interface SimulatedSubmission {
  readonly argv: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** See the head of this file. */
export class SimulatedClient {
  /** The job is no longer the cluster's. */
  isDone = false;
  private readonly world: SimulatedWorld;
  private readonly cluster: SimulatedCluster;
  private readonly submission: SimulatedSubmission;
  private readonly storage: string;
  private isTaken = false;

  constructor(world: SimulatedWorld, cluster: SimulatedCluster, storage: string, submission: SimulatedSubmission) {
    this.world = world;
    this.cluster = cluster;
    this.storage = storage;
    this.submission = submission;
  }

  start(): void {
    this.world.clock.schedule(ASK_MS, () => void this.ask());
  }

  private async ask(): Promise<void> {
    if (this.isTaken) await this.look();
    else for (const leader of this.cluster.leaders) void this.submitTo(leader);
    if (!this.isDone) this.start();
  }

  private async submitTo(leader: SimulatedCluster['leaders'][number]): Promise<void> {
    try {
      await leader.submit({ content: SIMULATED_PROGRAM, ...this.submission, run: {}, id: JOB_ID });
      this.isTaken = true;
    } catch (error) {
      this.world.trace.milestone('submission failed', 'client', String(error));
    }
  }

  /** Without time and faults: nobody is disturbed. */
  private async look(): Promise<void> {
    const { disk, clock } = this.world;
    const files = new FileSystems({ disk, clock, random: seededRandom(1) });
    const jobs = await new SubmittedJobs(files, this.storage, 'client').load();
    this.isDone = jobs.every(({ id }) => id !== JOB_ID);
  }
}
