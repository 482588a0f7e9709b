/** The README's program and its output are real. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');

function block(language: string): string {
  const text = readme.split(`\`\`\`${language}\n`)[1]?.split('\n```')[0];
  if (text === undefined) throw new Error(`the README has no ${language} block`);
  return text;
}

it("shows the quickstart's program", () => {
  expect(`${block('ts')}\n`).toBe(readFileSync(new URL('examples/quickstart/clicks.ts', root), 'utf8'));
});

it("shows the quickstart's real output", () => {
  const [command, ...output] = block('text').split('\n');
  const program = command?.split(' ').at(-1) as string;
  const cli = fileURLToPath(new URL('engine/cli/bin/millstream.js', root));
  const printed = execFileSync(process.execPath, [cli, 'run', program], { cwd: root, encoding: 'utf8' });
  expect(printed.trimEnd().split('\n')).toEqual(output);
});
