/** Who leads: this process for ever (`high-availability.type` NONE), or whoever holds the lease in the storage directory. */
import {
  entropySeed,
  FileSystems,
  type HighAvailabilityStorage,
  type LeaderAddress,
  Leadership,
  type LeadershipOptions,
  nodeDisk,
  type ResolvedOptions,
  seededRandom,
  systemClock,
} from 'millstream/cluster';
import type { Logger } from './process-log.js';

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

/** Takes part in the election once it is started; `address` is published by the leader. */
export function createLeadership(
  storage: HighAvailabilityStorage,
  options: ResolvedOptions,
  address: LeaderAddress,
  log: Logger,
  createJobManager: LeadershipOptions['createJobManager'],
): Leadership {
  return new Leadership({
    storage,
    holder: `${address.control} (process ${process.pid})`,
    address,
    durationMs: options['high-availability.leader-election.lease-duration'],
    intervalMs: options['high-availability.leader-election.retry-period'],
    clock: systemClock,
    createJobManager,
    observer: {
      leading: (term) => log.info({ term }, 'leading'),
      standby: (term) => log.warn({ term }, 'leading no more'),
      failed: (error) => log.warn({ err: error }, 'the storage of high availability does not answer'),
      recoveryFailed: (error) => log.error({ err: error }, 'cannot read the jobs of the former leader'),
    },
  });
}
