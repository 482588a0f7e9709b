import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withoutComments } from './code-text.js';
import { loadOptions, optionsPage } from './options-page.js';
import { isTestFile, PROJECT_ROOT, projectFiles } from './project-files.js';

describe('the page of options', () => {
  it('is what the table of options says', async () => {
    const page = readFileSync(join(PROJECT_ROOT, 'docs/reference/options.md'), 'utf8');
    expect(page, 'Run npm run docs.').toBe(optionsPage(await loadOptions()));
  });

  it('has no option that nothing reads', async () => {
    const sources = projectFiles().filter(
      ({ path }) => /^engine\/[\w-]+\/src\/.*\.ts$/.test(path) && !path.endsWith('/options.ts') && !isTestFile(path),
    );
    const code = sources.map(({ text }) => withoutComments(text)).join('\n');
    expect(Object.keys(await loadOptions()).filter((key) => !code.includes(`'${key}'`))).toEqual([]);
  });

  it('shows type, bounds and default of every option', () => {
    const page = optionsPage({
      'a.count': { type: 'integer', minimum: 1, maximum: 9, default: 3, doc: 'Counts.' },
      'a.wait': { type: 'duration', minimum: 1, disabled: true, default: '10 s', doc: 'Waits.' },
      'b.mode': { type: 'enum', values: ['x', 'y'], doc: 'Either | or.' },
    });
    expect(page).toContain('## a\n');
    expect(page).toContain('| `a.count` | integer, 1 to 9 | `3` | Counts. |');
    expect(page).toContain('| `a.wait` | duration, at least 1 ms, or -1 | `10 s` | Waits. |');
    expect(page).toContain('| `b.mode` | `x`, `y` | not set | Either \\| or. |');
  });
});
