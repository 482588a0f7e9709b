import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withoutComments } from './code-text.js';
import { loadOptions, optionsPage, settable } from './options-page.js';
import { isTestFile, PROJECT_ROOT, projectFiles } from './project-files.js';

/** Where options are declared, not read. */
const TABLES = /^engine\/core\/src\/config\/[\w-]*options\.ts$/;

describe('the page of options', () => {
  it('is what the table of options says', async () => {
    const page = readFileSync(join(PROJECT_ROOT, 'docs/reference/options.md'), 'utf8');
    expect(page, 'Run npm run docs.').toBe(optionsPage(await loadOptions()));
  });

  it('has no option that nothing reads', async () => {
    const sources = projectFiles().filter(
      ({ path }) => /^engine\/[\w-]+\/src\/.*\.ts$/.test(path) && !TABLES.test(path) && !isTestFile(path),
    );
    const code = sources.map(({ text }) => withoutComments(text)).join('\n');
    const keys = settable(await loadOptions()).map(([key]) => key);
    expect(keys.filter((key) => !code.includes(`'${key}'`))).toEqual([]);
  });

  it('shows type, bounds, default and reader of every option that can be set', () => {
    const page = optionsPage({
      'a.count': { type: 'integer', minimum: 1, maximum: 9, default: 3, scope: 'job', doc: 'Counts.' },
      'a.wait': { type: 'duration', minimum: 1, disabled: true, default: '10 s', scope: 'cluster', doc: 'Waits.' },
      'b.mode': { type: 'enum', values: ['x', 'y'], scope: 'client', doc: 'Either | or.' },
      'b.token': { type: 'text', scope: 'jobmanager', secret: true, doc: 'Opens.' },
      'c.later': { type: 'boolean', scope: 'job', pending: true, doc: 'Not yet.' },
    });
    expect(page).toContain('## a\n');
    expect(page).toContain('| `a.count` | integer, 1 to 9 | `3` | job | Counts. |');
    expect(page).toContain('| `a.wait` | duration, at least 1 ms, or -1 | `10 s` | all processes | Waits. |');
    expect(page).toContain('| `b.token` | text | not set | JobManager | Opens. Secret: never printed, and refused on the command line. |');
    expect(page).not.toContain('c.later');
    expect(page).toContain('| `b.mode` | `x`, `y` | not set | client | Either \\| or. |');
  });
});
