/** Time and randomness come through common/clock.ts and common/random.ts only, so that a whole cluster can run on virtual time. */
import { describe, expect, it } from 'vitest';
import { codeOnly } from './code-text.js';
import { type ProjectFile, placeOf, projectFiles } from './project-files.js';

const MACHINE_ACCESS =
  /\b(?:Date\.now|Math\.random|performance\.now|process\.hrtime|setTimeout|setInterval|new Date\(\)|getRandomValues|randomUUID|randomBytes)/g;

/** Who may ask the machine, and why. */
const ALLOWED: { readonly [path: string]: string } = {
  'engine/core/src/common/clock.ts': "the interface to the machine's clock",
  'engine/core/src/common/random.ts': "the interface to the machine's randomness",
  'engine/core/src/api/evaluation-sandbox.ts': 'replaces them for a program that builds its graph',
  'engine/cli/src/progress.ts': 'shows how long a run has taken, on a terminal',
  'examples/flights/src/main.ts': 'shows how long the run has taken, on a terminal',
  'engine/core/src/network/ring-peer.test.support.ts': 'is the other one of two real threads',
  'test/bench/src/main.ts': 'notes the day of a measurement',
  'test/bench/src/shared-clock.ts': 'measures latency between processes on the clock that they share',
};

function accessesOf(file: ProjectFile): readonly string[] {
  return [...codeOnly(file.text).matchAll(MACHINE_ACCESS)].map((match) => `${placeOf(file, match.index)} uses ${match[0]}`);
}

describe('clock and randomness', () => {
  const files = projectFiles().filter(({ path }) => /\.[cm]?[jt]s$/.test(path));

  it('are asked through the interfaces only', () => {
    expect(files.filter(({ path }) => ALLOWED[path] === undefined).flatMap(accessesOf)).toEqual([]);
  });

  it.each(Object.keys(ALLOWED))('are still asked by %s', (path) => {
    expect(files.filter((file) => file.path === path).flatMap(accessesOf)).not.toEqual([]);
  });

  it.each(['const now = Date.now();', 'setTimeout(run, 5);', 'const day = new Date();', 'f(() => Math.random());'])(
    'are found in %j',
    (text) => {
      expect(accessesOf({ path: 'x.ts', text: `// first line\n${text}` })).toEqual([expect.stringMatching(/^x\.ts:2 uses /)]);
    },
  );

  it.each(['// Date.now()', 'const at = new Date(0);', "fail('setTimeout is not a clock');"])('are not seen in %j', (text) => {
    expect(accessesOf({ path: 'x.ts', text })).toEqual([]);
  });
});
