/** Files with secrets: for their owner only, whole or not at all, and not over others unless told. */
import { access, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MillstreamError } from 'millstream';

export interface NewFile {
  readonly path: string;
  readonly content: string;
}

const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/** Writes them in order; throws CERTIFICATE_EXISTS where one is there that may not be replaced. */
export async function writeFiles(files: readonly NewFile[], overwrite: boolean): Promise<void> {
  for (const file of files) {
    try {
      await writeOne(file, overwrite);
    } catch (error) {
      throw writeError(file.path, error);
    }
  }
}

async function writeOne({ path, content }: NewFile, overwrite: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: OWNER_ONLY_DIRECTORY });
  const written = `${path}.${process.pid}.new`;
  try {
    await writeFile(written, content, { mode: OWNER_ONLY, flag: 'wx', flush: true });
    if (overwrite) await rename(written, path);
    else await link(written, path);
  } finally {
    await rm(written, { force: true });
  }
}

/** The content; undefined if there is no such file. */
export async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new MillstreamError('CERTIFICATE_INVALID', `Cannot read '${path}': ${String(error)}. Make it readable.`, { cause: error });
  }
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function writeError(path: string, error: unknown): MillstreamError {
  const options = { cause: error, details: { path } };
  if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
    return new MillstreamError(
      'CERTIFICATE_EXISTS',
      `Cannot make '${path}': it exists. Choose another directory, or have it replaced.`,
      options,
    );
  }
  return new MillstreamError(
    'CERTIFICATE_INVALID',
    `Cannot write '${path}': ${String(error)}. Choose a directory that can be written.`,
    options,
  );
}
