/**
 * Who leads: this process for ever (`high-availability.type` NONE), or whoever holds the lease in the storage directory.
 *
 *     start ─▶ standby ─granted─▶ leading(term) ─revoked─▶ standby …
 */
import { MillstreamError } from 'millstream';
import {
  entropySeed,
  FileSystems,
  fileLeaseStore,
  LeaderElection,
  type LeaderElectionListener,
  LeaderLease,
  LeaderObserver,
  type NetworkAddress,
  nodeDisk,
  type ResolvedOptions,
  randomToken,
  SubmittedJobs,
  seededRandom,
  storageSettings,
  systemClock,
} from 'millstream/cluster';

const DEFAULT_STORAGE_DIRECTORY = '.millstream/high-availability';

/** The place of a cluster in the storage of high availability. */
export interface HighAvailabilityStorage {
  readonly files: FileSystems;
  readonly directory: string;
}

/** All stores as the configuration says. */
export function openFileSystems(options: ResolvedOptions): FileSystems {
  const random = seededRandom(entropySeed());
  return new FileSystems({ disk: nodeDisk, clock: systemClock, random, options: storageSettings(options) });
}

/** Undefined without high availability. Throws INVALID_OPTION, STORAGE_…, DISK_…. */
export async function openHighAvailability(options: ResolvedOptions): Promise<HighAvailabilityStorage | undefined> {
  const type = options['high-availability.type'];
  if (type === 'NONE') return undefined;
  const files = openFileSystems(options);
  const root = options['high-availability.storageDir'] ?? DEFAULT_STORAGE_DIRECTORY;
  if ((type === 's3') !== root.startsWith('s3://')) throw wrongStorage(type, root);
  const directory = `${root}/${options['high-availability.cluster-id'].replace(/^\/+/, '')}`;
  await files.open(directory);
  await files.prepareDirectory(directory).catch((error: unknown) => {
    throw error instanceof MillstreamError ? error : unusableStorage(directory, error);
  });
  return { files, directory };
}

function unusableStorage(directory: string, cause: unknown): MillstreamError {
  const found = cause instanceof Error ? cause.message : String(cause);
  return new MillstreamError(
    'INVALID_OPTION',
    `Cannot keep leader and jobs in '${directory}': ${found}. Set high-availability.storageDir to a directory that this process may write to.`,
    { cause },
  );
}

function wrongStorage(type: 'file' | 's3', root: string): MillstreamError {
  const wanted =
    type === 's3' ? "an address in a bucket: 's3://bucket/path'" : 'a directory of this machine, or set high-availability.type to s3';
  return new MillstreamError(
    'INVALID_OPTION',
    `Cannot use high-availability.type '${type}' with high-availability.storageDir '${root}'. Set the latter to ${wanted}.`,
  );
}

/** Takes part in the election; `address` is published by the leader. */
export function startElection(
  storage: HighAvailabilityStorage,
  options: ResolvedOptions,
  address: { readonly control: string; readonly rest: string },
  listener: LeaderElectionListener,
): LeaderElection {
  const holder = `${address.control} (process ${process.pid})`;
  const durationMs = options['high-availability.leader-election.lease-duration'];
  const claim = { holder, address, durationMs, nonce: randomToken() };
  const lease = new LeaderLease(leaseStore(storage), claim, systemClock);
  const intervalMs = options['high-availability.leader-election.retry-period'];
  const election = new LeaderElection(lease, { intervalMs, clock: systemClock, random: seededRandom(entropySeed()), listener });
  election.start();
  return election;
}

/** Sees who leads. */
export function observeLeader(storage: HighAvailabilityStorage, options: ResolvedOptions): LeaderObserver {
  return new LeaderObserver(leaseStore(storage), systemClock, options['high-availability.leader-election.lease-duration']);
}

export function submittedJobs({ files, directory }: HighAvailabilityStorage): SubmittedJobs {
  return new SubmittedJobs(files, directory, writerName());
}

/** "host:port" as an address. */
export function parseAddress(text: string): NetworkAddress {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function leaseStore({ files, directory }: HighAvailabilityStorage): ReturnType<typeof fileLeaseStore> {
  return fileLeaseStore(files, directory, writerName());
}

/** Differs from every other register's, also in this process. */
function writerName(): string {
  return randomToken().slice(0, 12);
}
