/** The options of a process that say how stores are reached, in the words of the stores' packages. Holds secrets: it is never printed. */
import type { ResolvedOptions } from '../config/options.js';
import type { StorageOptions } from './file-systems.js';

/** By scheme; see `FileSystemsOptions.options`. */
export type StorageSettings = { readonly [scheme: string]: StorageOptions };

/** What is not set is left out: the package decides. */
export function storageSettings(options: ResolvedOptions): StorageSettings {
  const s3: StorageOptions = {
    endpoint: options['s3.endpoint'],
    region: options['s3.region'],
    pathStyleAccess: options['s3.path.style.access'],
    accessKey: options['s3.access-key'],
    secretKey: options['s3.secret-key'],
    sessionToken: options['s3.session-token'],
    partBytes: options['s3.upload.part-size'],
    requestTimeoutMs: options['s3.request-timeout'],
    attempts: options['s3.attempts'],
  };
  return { s3: Object.fromEntries(Object.entries(s3).filter(([, value]) => value !== undefined)) };
}
