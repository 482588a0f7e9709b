/** Files that cannot be read as the program expects, and places that cannot be written. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLines, runJob } from './run-job.js';

const GOOD = [1, 2, 4, 5].map((count) => ({ key: 0, count }));

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-input-'));
  file = join(directory, 'items.jsonl');
  writeFileSync(file, '{"key":0,"count":1}\n{"key":0,"count":2}\n{"key":0,"count":\n\n{"key":0,"count":4}\n{"key":0,"count":5}\n');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function run(fault: string, results = join(directory, 'results')): Promise<unknown> {
  return await runJob('faults', { parameters: { fault, file, results } });
}

describe('a malformed line', () => {
  it('fails the job by default, with file and line', async () => {
    await expect(run('malformed: fail')).rejects.toMatchObject({
      code: 'MALFORMED_RECORD',
      message: expect.stringMatching(/items\.jsonl.*\b3\b[\s\S]*not valid JSON/),
    });
    // Nothing was committed: no result of a job that failed can be taken for one of a job that did not.
    expect(readLines(join(directory, 'results'))).toEqual([]);
  });

  it('is left out by option', async () => {
    await expect(run('malformed: skip')).resolves.toEqual({ type: 'finished' });
    expect(readLines(join(directory, 'results'))).toEqual(GOOD);
  });

  it('goes to a side output by option, with file, line and text', async () => {
    await expect(run('malformed: report')).resolves.toEqual({ type: 'finished' });
    expect(readLines(join(directory, 'results', 'good'))).toEqual(GOOD);
    expect(readLines(join(directory, 'results', 'malformed'))).toEqual([
      { malformed: true, file, line: 3, text: '{"key":0,"count":', message: expect.stringContaining('not valid JSON') },
    ]);
  });
});

describe('an input file', () => {
  it('that is not there is named', async () => {
    rmSync(file);
    await expect(run('malformed: fail')).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
      message: expect.stringMatching(/items\.jsonl.*ENOENT.*Check the path/),
    });
  });
});

describe('a directory for results', () => {
  it('that cannot be made is named', async () => {
    await expect(run('malformed: skip', join(file, 'results'))).rejects.toMatchObject({
      code: 'SINK_WRITE_FAILED',
      message: expect.stringMatching(/Cannot write results to '.*items\.jsonl\/results'.*is writable/),
    });
    expect(existsSync(file)).toBe(true);
  });
});
