/** Writes the pages of docs/reference that are made from code: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadOptions, optionsPage } from './options-page.js';
import { PROJECT_ROOT } from './project-files.js';

writeFileSync(join(PROJECT_ROOT, 'docs/reference/options.md'), optionsPage(await loadOptions()));
