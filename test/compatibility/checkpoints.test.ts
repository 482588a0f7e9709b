/**
 * Checkpoints that earlier versions wrote are restored: golden/<name>.gz, each a job directory of test/jobs/golden.ts that was stopped in
 * mid-run. New ones are written by `MILLSTREAM_GOLDEN=<name> npx vitest run test/compatibility` (see CONTRIBUTING.md); old ones stay.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLines, runJob } from '../e2e/run-job.js';
import { ASKING, eventOf, type GoldenLine, KEYS, RULES, ruleOf } from '../jobs/golden.js';
import { packDirectory, unpackDirectory } from './checkpoint-archive.js';

const RECORDS = 3000;
const GOLDEN = join(import.meta.dirname, 'golden');
const NEW = process.env.MILLSTREAM_GOLDEN;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-golden-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function sorted(lines: readonly GoldenLine[]): string[] {
  return lines.map((line) => JSON.stringify(line)).sort();
}

/** What the job must write, computed without the engine. */
function expected(): GoldenLine[] {
  const lines: GoldenLine[] = [];
  for (let key = 0; key < KEYS; key++) {
    const indices = Array.from({ length: RECORDS / KEYS }, (_, at) => key + at * KEYS);
    const sum = indices.reduce((a, b) => a + b, 0);
    lines.push({
      branch: 'states',
      key: `key ${key}`,
      totals: { count: indices.length, sum },
      highest: eventOf(indices.at(-1) as number),
      sevenths: indices.filter((index) => index % 7 === 0),
      residues: [0, 1, 2].map((residue) => [`${residue}`, indices.filter((index) => index % 3 === residue).length]),
      smallest: key,
      mean: sum / indices.length,
    });
    lines.push({ branch: 'tumbling', count: indices.length }, { branch: 'session', first: key });
  }
  for (let index = RECORDS - ASKING; index < RECORDS; index++) lines.push({ branch: 'rules', index, rule: ruleOf(index % RULES) });
  return lines;
}

/** Stops the job in mid-run, with a base and deltas. Returns the checkpoint. */
async function stoppedJob(): Promise<string> {
  let run: JobRun | undefined;
  let completed = 0;
  const outcome = await runJob('golden', {
    // Nobody writes the file that the last half of the records waits for.
    parameters: { records: `${RECORDS}`, rate: '3000', results: join(directory, 'no results'), until: join(directory, 'never') },
    options: {
      'parallelism.default': 2,
      'pipeline.max-parallelism': 16,
      'execution.checkpointing.interval': '150 ms',
      'execution.checkpointing.dir': join(directory, 'checkpoints'),
    },
    onRun: (started) => {
      run = started;
    },
    observer: {
      checkpointCompleted: () => {
        completed++;
        if (completed === 3) run?.stop();
      },
    },
  });
  if (outcome.type !== 'stopped') throw new Error(`the job ended as ${outcome.type}`);
  expect(readLines(join(directory, 'no results'))).toEqual([]);
  return outcome.checkpoint;
}

async function expectRestored(checkpoint: string, parallelism: number): Promise<void> {
  const results = join(directory, `results ${parallelism}`);
  const outcome = await runJob('golden', {
    parameters: { records: `${RECORDS}`, results },
    options: { 'parallelism.default': parallelism },
    run: { from: checkpoint },
  });
  expect(outcome.type).toBe('finished');
  expect(sorted(readLines<GoldenLine>(results))).toEqual(sorted(expected()));
}

/** Of a job directory: what its files are, for a golden checkpoint that has everything. */
function kindsOf(job: string, checkpoint: string): readonly string[] {
  const metadata = readFileSync(join(job, checkpoint, '_metadata'), 'utf8');
  return [
    ...new Set(
      [...metadata.matchAll(/"kind":"(base|delta)"|\.(state)"|"(inline)"|"(splits)":\[\{/g)].map((match) => match.slice(1).join('')),
    ),
  ].sort();
}

describe('golden checkpoints', () => {
  // Only on demand: it writes into the checkout.
  it.runIf(NEW !== undefined)('are written', async () => {
    const job = dirname(await stoppedJob());
    mkdirSync(GOLDEN, { recursive: true });
    packDirectory(job, join(GOLDEN, `${NEW}.gz`));
  });

  it('are there', () => {
    expect(readdirSync(GOLDEN)).toContain('version-0-1.gz');
  });

  it.each(readdirSync(GOLDEN))('%s is restored at any parallelism', async (name) => {
    const job = join(directory, 'job');
    unpackDirectory(join(GOLDEN, name), job);
    const checkpoint = readdirSync(job).find((entry) => entry.startsWith('chk-')) as string;
    expect(kindsOf(job, checkpoint)).toEqual(['base', 'delta', 'inline', 'splits', 'state']);
    for (const parallelism of [1, 2, 3]) await expectRestored(job, parallelism);
    // Named by itself, and without the record beside it.
    const alone = join(directory, 'alone');
    unpackDirectory(join(GOLDEN, name), alone);
    for (const file of readdirSync(alone)) if (file.startsWith('job.')) rmSync(join(alone, file));
    await expectRestored(join(alone, checkpoint), 4);
  });

  it('of today are restored as those are', async () => {
    const checkpoint = await stoppedJob();
    expect(kindsOf(dirname(checkpoint), basename(checkpoint))).toContain('state');
    for (const parallelism of [1, 3]) await expectRestored(checkpoint, parallelism);
  });
});
