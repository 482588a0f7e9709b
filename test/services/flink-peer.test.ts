/** Apache Flink, run by its own peer, and Millstream give the same results from the same generator, byte for byte. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireTools } from './required-tools.js';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const FLINK = join(ROOT, 'test/bench/flink/run');
const RECORDS = 100_000;
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The hashes that the peer's page states, by the name of the dump. */
async function statedHashes(): Promise<ReadonlyMap<string, string>> {
  const page = await readFile(join(ROOT, 'test/bench/flink/README.md'), 'utf8');
  return new Map([...page.matchAll(/^ {4}(\w+) +([0-9a-f]{64})$/gm)].map((match) => [match[1] as string, match[2] as string]));
}

async function dumpOfMillstream(workload: string, parallelism: number): Promise<string> {
  const args = ['test/dist/bench/src/main.js', workload, '--dump', '--records', String(RECORDS), '--parallelism', String(parallelism)];
  const { stdout } = await run(process.execPath, args, { cwd: ROOT, maxBuffer: OUTPUT_BYTES_MAX });
  return stdout;
}

// On a laptop without Java or Maven it is skipped, and says so; with CI=true it fails.
describe.skipIf(requireTools('the Flink peer', ['java', 'mvn', 'flock']) === 'missing')('the Flink peer', () => {
  let directory = '';
  let hashes: ReadonlyMap<string, string> = new Map();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millstream-flink-'));
    hashes = await statedHashes();
    await run(FLINK, ['dump', directory, '--records', String(RECORDS)], { maxBuffer: OUTPUT_BYTES_MAX });
  });

  afterAll(async () => {
    if (directory !== '') await rm(directory, { recursive: true });
  });

  it.each(['bids', 'events', 'w4', 'w5'])('dumps %s with the hash that its page states', async (name) => {
    expect(hashOf(await readFile(join(directory, `${name}.jsonl`), 'utf8'))).toBe(hashes.get(name));
  });

  it.each([
    ['w4', 1],
    ['w4', 2],
    ['w5', 1],
    ['w5', 2],
  ])('and Millstream have equal results of %s at parallelism %i', async (workload, parallelism) => {
    const expected = await readFile(join(directory, `${workload}.jsonl`), 'utf8');
    const found = await dumpOfMillstream(workload, parallelism);
    expect(expected.length).toBeGreaterThan(0);
    // Not the texts themselves: a difference would be printed in full.
    expect([found.length, hashOf(found)]).toEqual([expected.length, hashOf(expected)]);
  });
});
