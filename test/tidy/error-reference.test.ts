/** Error codes and their documentation can't drift apart. */
import { describe, expect, it } from 'vitest';
import { withoutComments } from './code-text.js';
import { isTestFile, projectFiles } from './project-files.js';

const TABLE = 'engine/core/src/common/error-codes.ts';
const REFERENCE = 'docs/reference/errors.md';
/** What every section answers. */
const PARTS = ['**What happened.**', '**Why.**', '**What to do.**'];

/** The codes of the table with their domains. */
function declaredCodes(table: string): ReadonlyMap<string, string> {
  return new Map(
    [...withoutComments(table).matchAll(/^ {2}([A-Z_]+): '(user|connector|internal)',$/gm)].map((match) => [
      match[1] as string,
      match[2] as string,
    ]),
  );
}

/** The sections of the reference by code. */
function documentedCodes(reference: string): ReadonlyMap<string, string> {
  return new Map(
    reference
      .split(/^### /m)
      .slice(1)
      .map((section) => [section.split('\n', 1)[0] as string, section]),
  );
}

function missingParts(section: string, domain: string): readonly string[] {
  return [`Domain: ${domain}.`, ...PARTS].filter((part) => !section.includes(part));
}

describe('error codes', () => {
  const files = projectFiles();
  const textOf = (path: string): string => files.find((file) => file.path === path)?.text ?? '';
  const declared = declaredCodes(textOf(TABLE));
  const documented = documentedCodes(textOf(REFERENCE));

  it('are read from the table', () => {
    expect(declared.get('INTERNAL')).toBe('internal');
    expect(declared.size).toBe(textOf(TABLE).match(/^ {2}[A-Z]\w*:/gm)?.length);
  });

  it('are all documented, in the order of the alphabet, and no others', () => {
    expect([...documented.keys()]).toEqual([...declared.keys()].sort());
  });

  it.each([...declared])('%s is documented in all parts', (code, domain) => {
    expect(missingParts(documented.get(code) ?? '', domain)).toEqual([]);
  });

  it('are all thrown somewhere', () => {
    const sources = files.filter(({ path }) => /^engine\/[\w-]+\/src\/.*\.ts$/.test(path) && path !== TABLE && !isTestFile(path));
    const code = sources.map(({ text }) => withoutComments(text)).join('\n');
    expect([...declared.keys()].filter((name) => !code.includes(`'${name}'`))).toEqual([]);
  });

  it('are missed where a part of their section is missing', () => {
    const section = documentedCodes('# Errors\n\n### A_CODE\n\nDomain: user. **What happened.** x **Why.** y\n').get('A_CODE') ?? '';
    expect(missingParts(section, 'user')).toEqual(['**What to do.**']);
    expect(missingParts(section, 'internal')).toEqual(['Domain: internal.', '**What to do.**']);
  });
});
