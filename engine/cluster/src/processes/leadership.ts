/**
 * Who leads: this process for ever (`high-availability.type` NONE), or whoever holds the lease in the storage directory.
 *
 *     start ─▶ standby ─granted─▶ leading(term) ─revoked─▶ standby …
 */
import { MillstreamError } from 'millstream';
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
  storageSettings,
  systemClock,
} from 'millstream/cluster';
import type { Logger } from './process-log.js';

const DEFAULT_STORAGE_DIRECTORY = '.millstream/high-availability';

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
