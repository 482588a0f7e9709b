// biome-ignore-all lint/suspicious/noTemplateCurlyInString: samples of source text
import { describe, expect, it } from 'vitest';
import { codeOnly, importsOf, withoutComments } from './code-text.js';

/** Runs of blanks as one, so that samples stay readable. */
function shortened(text: string): string {
  return text.replace(/ +/g, ' ');
}

describe('source text', () => {
  it.each([
    ['a(); // now()', 'a(); '],
    ['/** x\n */ a();', ' \n a();'],
    [`f('it\\'s // no comment', "x");`, `f(' ', " ");`],
    ['f(`a ${b("c") + `d ${e}`} f`);', 'f(` ${b(" ") + ` ${e}`} `);'],
    ['f(`${ { a: { b: 1 } }.a.b } // text`);', 'f(`${ { a: { b: 1 } }.a.b } `);'],
    ['x = /[\'"/]+/g; // y', 'x = / /g; '],
    ["const half = total / 2; const t = 'a' / 1;", "const half = total / 2; const t = ' ' / 1;"],
    ['return /"/.test(x) ? `y` : z;', 'return / /.test(x) ? ` ` : z;'],
  ])('blanks everything but code in %j', (source, expected) => {
    const result = codeOnly(source);
    expect(shortened(result)).toBe(expected);
    expect(result.length).toBe(source.length);
  });

  it('keeps strings where only comments are blanked', () => {
    expect(shortened(withoutComments("a('// b'); /* c */ d;"))).toBe("a('// b'); d;");
  });

  it('finds every way to name a module', () => {
    const source = `
      import a from './a.js';
      import './b.js';
      export { type C } from "./c.js";
      const d = await import('./d.js');
      type E = import('./e.js').E;
      const f = new URL('./f.js', import.meta.url);
      // import g from './g.js';
      const text = "cannot be read from ";`;
    expect(importsOf(source)).toEqual(['./a.js', './b.js', './c.js', './d.js', './e.js', './f.js']);
  });
});
