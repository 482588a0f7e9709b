/** Links between the pages of the documentation lead somewhere. */
import { dirname, join } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import { type ProjectFile, projectFiles } from './project-files.js';

/** The anchor that a heading gets. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .trim()
    .replace(/ /g, '-');
}

function deadLinks(page: ProjectFile, files: ReadonlyMap<string, ProjectFile>, directories: ReadonlySet<string>): readonly string[] {
  const prose = page.text.replace(/^```[\s\S]*?^```/gm, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
  return targets.filter((target) => {
    if (/^\w+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const to = path === '' ? page.path : join(dirname(page.path), path).replace(/\/$/, '');
    const file = files.get(to);
    if (file === undefined) return !directories.has(to);
    if (anchor === undefined) return false;
    return ![...file.text.matchAll(/^#+ (.*)$/gm)].some((match) => anchorOf(match[1] as string) === anchor);
  });
}

describe('links', () => {
  const files = new Map(projectFiles().map((file) => [file.path, file]));
  const directories = new Set(
    [...files.keys()].flatMap((path) => path.split('/').map((_, index, parts) => parts.slice(0, index).join('/'))),
  );
  const pages = [...files.values()].filter(({ path }) => path.endsWith('.md'));

  it.each(pages.map((page) => [page.path, page] as const))('of %s lead somewhere', (_, page) => {
    expect(deadLinks(page, files, directories)).toEqual([]);
  });

  it('are found out where they lead nowhere', () => {
    const page = {
      path: 'docs/a.md',
      text: '# A heading\n[a](b.md) [b](#a-heading) [c](#nothing) [d](../docs) [e](https://semver.org)\n```\n[f](g.md)\n```\n',
    };
    expect(deadLinks(page, new Map([['docs/a.md', page]]), new Set(['docs']))).toEqual(['b.md', '#nothing']);
  });
});
