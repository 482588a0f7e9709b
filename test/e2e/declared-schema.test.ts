/** A declared schema on the shuffle: declared fields arrive exactly, others stay behind. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readLines, runJob } from './run-job.js';

it('carries just the declared fields between subtasks', async () => {
  const results = mkdtempSync(join(tmpdir(), 'millstream-e2e-'));
  try {
    await runJob('declared-schema', { parameters: { results }, run: { forceCodec: true } });
    const lines = readLines<{ name: string }>(join(results, 'lines')).sort((a, b) => Number(a.name.slice(1)) - Number(b.name.slice(1)));
    expect(lines).toEqual(Array.from({ length: 1000 }, (_, index) => ({ key: index % 7, name: `n${index}`, half: index / 2 })));
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
});
