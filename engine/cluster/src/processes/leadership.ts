/**
 * Who leads: this process for ever (`high-availability.type` NONE), or whoever holds the lease in the storage directory.
 *
 *     start ─▶ standby ─granted─▶ leading(term) ─revoked─▶ standby …
 */
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
  systemClock,
} from 'millstream/cluster';

/** The place of a cluster in the storage of high availability. */
export interface HighAvailabilityStorage {
  readonly files: FileSystems;
  readonly directory: string;
}

/** Undefined without high availability. Throws STORAGE_…, DISK_…. */
export async function openHighAvailability(options: ResolvedOptions): Promise<HighAvailabilityStorage | undefined> {
  if (options['high-availability.type'] === 'NONE') return undefined;
  const files = new FileSystems({ disk: nodeDisk, clock: systemClock, random: seededRandom(entropySeed()) });
  const root = options['high-availability.storageDir'] ?? '.millstream/high-availability';
  const directory = `${root}/${options['high-availability.cluster-id'].replace(/^\/+/, '')}`;
  await files.open(directory);
  await files.prepareDirectory(directory);
  return { files, directory };
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
