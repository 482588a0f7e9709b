/** Operator state that is too large for a checkpoint's metadata lies in files of its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ruled } from '../jobs/large-rules.js';
import { readLines, runJob } from './run-job.js';

const RECORDS = 10_000;
const RULES = 2000;

let directory: string;
let checkpoint: string;
let job: string;

function options(parallelism: number, checkpoints: string): Record<string, unknown> {
  return {
    'parallelism.default': parallelism,
    'execution.checkpointing.interval': '30 ms',
    'execution.checkpointing.dir': join(directory, checkpoints),
  };
}

function parameters(phase: string): Record<string, string> {
  return { records: `${RECORDS}`, rules: `${RULES}`, results: join(directory, 'results'), phase };
}

function stateFiles(): string[] {
  return readdirSync(join(job, 'shared')).filter((name) => name.endsWith('.state'));
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-operator-state-'));
  let run: JobRun | undefined;
  let completed = 0;
  const outcome = await runJob('large-rules', {
    // Nobody writes the file: the job has not ended when it is stopped.
    parameters: { ...parameters('first'), until: join(directory, 'go on') },
    options: options(2, 'checkpoints'),
    onRun: (started) => {
      run = started;
    },
    observer: {
      checkpointCompleted: () => {
        completed++;
        if (completed === 5) run?.stop();
      },
    },
  });
  if (outcome.type !== 'stopped') throw new Error(`the job ended as ${outcome.type}`);
  ({ checkpoint } = outcome);
  job = checkpoint.slice(0, checkpoint.lastIndexOf('/'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('large operator state', () => {
  it('is in files, and only the retained checkpoint has some', () => {
    const epoch = checkpoint.slice(checkpoint.lastIndexOf('-') + 1);
    expect(stateFiles().length).toBe(2);
    for (const name of stateFiles()) {
      expect(name).toContain(`-${epoch}.state`);
      expect(statSync(join(job, 'shared', name)).size).toBeGreaterThan(50_000);
    }
    expect(statSync(join(checkpoint, '_metadata')).size).toBeLessThan(20_000);
  });

  it('is refused where a file was changed', async () => {
    const file = join(job, 'shared', stateFiles()[0] as string);
    const bytes = readFileSync(file);
    const changed = Buffer.from(bytes);
    changed[1000] = (changed[1000] as number) ^ 1;
    writeFileSync(file, changed);
    const resumed = runJob('large-rules', {
      parameters: parameters('refused'),
      options: options(2, 'more checkpoints'),
      run: { from: checkpoint },
    });
    await expect(resumed).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT', message: expect.stringContaining(`'${file}'`) });
    writeFileSync(file, bytes);
  });

  it('is there again at another parallelism; a finished job leaves no file', async () => {
    const outcome = await runJob('large-rules', {
      parameters: parameters('second'),
      options: options(3, 'more checkpoints'),
      run: { from: checkpoint },
    });
    expect(outcome.type).toBe('finished');
    const results = readLines<Ruled>(join(directory, 'results'));
    expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(Array.from({ length: RECORDS }, (_, index) => index));
    const second = results.filter(({ phase }) => phase === 'second');
    expect(second.length).toBeGreaterThan(RULES);
    for (const { index, rule } of second) expect(rule).toBe(`rule ${index % RULES} of ${RULES}, with a text`);
    const left = readdirSync(join(directory, 'more checkpoints'), { recursive: true, encoding: 'utf8' });
    expect(left.filter((name) => name.endsWith('.state'))).toEqual([]);
  });
});
