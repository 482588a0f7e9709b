/**
 * A JobManager for as long as this process leads, under the lease in the storage of high availability; and how others find the leader.
 *
 *     start ─▶ standby ─granted─▶ JobManager(term), recovers the jobs ─revoked─▶ abandoned, standby …
 *
 * Invariant: there is a JobManager exactly while the lease is held.
 */
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { type Entropy, seededRandom, systemEntropy } from '../common/random.js';
import type { NetworkAddress } from '../common/transport.js';
import type { JobManager } from './job-manager.js';
import { LeaderElection } from './leader-election.js';
import { LeaderLease } from './leader-lease.js';
import { type LeaderAddress, LeaderObserver } from './leader-observer.js';
import { fileLeaseStore, type LeaseStore } from './lease-store.js';
import { SubmittedJobs } from './submitted-jobs.js';

/** The place of a cluster in the storage of high availability; the directory exists. */
export interface HighAvailabilityStorage {
  readonly files: CheckpointFiles;
  readonly directory: string;
}

/** Hears of the leadership; for a log. */
export interface LeadershipObserver {
  leading(term: number): void;
  standby(term: number): void;
  /** The storage did not answer; it is asked again. */
  failed(error: unknown): void;
  /** The list of an earlier leader's jobs cannot be read: it is damaged. */
  recoveryFailed(error: unknown): void;
}

/** What a {@link Leadership} needs. */
export interface LeadershipOptions {
  readonly storage: HighAvailabilityStorage;
  /** Names this process, for people. */
  readonly holder: string;
  /** Where the leader is reached. */
  readonly address: LeaderAddress;
  /** Of the lease, ms. */
  readonly durationMs: number;
  /** Between two signs of life, ms; a third of the lease's duration or less. */
  readonly intervalMs: number;
  readonly clock: Clock;
  /** Default: the machine's. */
  readonly entropy?: Entropy;
  readonly createJobManager: (term: number, submitted: SubmittedJobs) => JobManager;
  readonly observer: LeadershipObserver;
}

/** See the head of this file. */
export class Leadership {
  /** While this process leads. */
  jobManager: JobManager | undefined;
  private readonly options: LeadershipOptions;
  private readonly entropy: Entropy;
  private readonly election: LeaderElection;
  private abandoned: Promise<void> | undefined;

  constructor(options: LeadershipOptions) {
    const { storage, holder, address, durationMs, intervalMs, clock, entropy = systemEntropy, observer } = options;
    this.options = options;
    this.entropy = entropy;
    const lease = new LeaderLease(leaseStore(storage, entropy), { holder, address, durationMs, nonce: entropy.token() }, clock);
    this.election = new LeaderElection(lease, {
      intervalMs,
      clock,
      random: seededRandom(entropy.seed()),
      listener: {
        granted: (term) => void this.lead(term),
        revoked: (term) => this.abandon(term),
        failed: (error) => observer.failed(error),
      },
    });
  }

  start(): void {
    this.election.start();
  }

  /** Leaves jobs to the next leader, and gives the lease up. */
  async stop(): Promise<void> {
    await this.election.stop();
    await this.abandoned;
  }

  private async lead(term: number): Promise<void> {
    const { storage, createJobManager, observer } = this.options;
    const submitted = new SubmittedJobs(storage.files, storage.directory, writerName(this.entropy), term);
    const jobManager = createJobManager(term, submitted);
    this.jobManager = jobManager;
    observer.leading(term);
    await jobManager.recover().catch((error: unknown) => observer.recoveryFailed(error));
  }

  private abandon(term: number): void {
    const former = this.jobManager;
    this.jobManager = undefined;
    this.options.observer.standby(term);
    this.abandoned = former?.abandon();
  }
}

/** Finds the leader's control address, again and again. Its calls must not overlap; they throw CLUSTER_UNAVAILABLE if nobody leads. */
export function leaderFinder(
  storage: HighAvailabilityStorage,
  options: { readonly durationMs: number; readonly clock: Clock; readonly entropy?: Entropy },
): () => Promise<NetworkAddress> {
  const observer = new LeaderObserver(leaseStore(storage, options.entropy ?? systemEntropy), options.clock, options.durationMs);
  return async () => {
    const leader = await observer.leader();
    if (leader !== undefined) return parseAddress(leader.address.control);
    throw new MillstreamError('CLUSTER_UNAVAILABLE', 'No JobManager leads now. It is looked for again.', { retryable: true });
  };
}

/** "host:port" as an address. */
function parseAddress(text: string): NetworkAddress {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function leaseStore({ files, directory }: HighAvailabilityStorage, entropy: Entropy): LeaseStore {
  return fileLeaseStore(files, directory, writerName(entropy));
}

/** Differs from every other register's, also in this process. */
function writerName(entropy: Entropy): string {
  return entropy.token().slice(0, 12);
}
