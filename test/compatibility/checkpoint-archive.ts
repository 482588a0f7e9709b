/** A directory with a job's checkpoints as one small file: gzip of a JSON object, path to content in base64. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

export function packDirectory(directory: string, archive: string): void {
  const files: { [path: string]: string } = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(directory.length + 1).replaceAll('\\', '/')] = readFileSync(path).toString('base64');
  }
  writeFileSync(archive, gzipSync(JSON.stringify(files), { level: 9 }));
}

export function unpackDirectory(archive: string, directory: string): void {
  const files = JSON.parse(gunzipSync(readFileSync(archive)).toString()) as { [path: string]: string };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), Buffer.from(content, 'base64'));
  }
}
