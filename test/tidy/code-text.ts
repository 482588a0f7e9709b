/**
 * TypeScript source with parts blanked out, so that a pattern finds code and nothing else. Offsets and lines stay as they are.
 * Not a parser: a slash begins a regular expression where no value can have ended before it, which holds for formatted code.
 */

interface Range {
  readonly from: number;
  readonly to: number;
  readonly comment: boolean;
}

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const QUOTED = /'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y;
const TEMPLATE_PART = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y;
const REGULAR_EXPRESSION = /\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y;
/** What stands before a regular expression. */
const EXPECTS_VALUE = /(?:^|[(,=:[!&|?{;+*%<>~^]|\b(?:return|typeof|case|of|in|await|yield))\s*$/;

/** Without comments. */
export function withoutComments(source: string): string {
  return blank(
    source,
    rangesOf(source).filter((range) => range.comment),
  );
}

/** Without comments and the contents of strings, templates and regular expressions. */
export function codeOnly(source: string): string {
  return blank(source, rangesOf(source));
}

/** The module specifiers of a source file: imports, re-exports, dynamic imports, type imports, and modules named by URL. */
export function importsOf(source: string): readonly string[] {
  const text = withoutComments(source);
  const found = text.matchAll(/\b(?:from|import|import\s*\(|new\s+URL\s*\()\s*(['"])([\w@./:-]+)\1/g);
  return [...found].map((match) => match[2] as string);
}

function blank(source: string, ranges: readonly Range[]): string {
  let result = '';
  let at = 0;
  for (const { from, to } of ranges) {
    result += source.slice(at, from) + source.slice(from, to).replace(/[^\n]/g, ' ');
    at = to;
  }
  return result + source.slice(at);
}

function rangesOf(source: string): readonly Range[] {
  const ranges: Range[] = [];
  /** Open braces within each open `${`. */
  const templates: number[] = [];
  let at = 0;
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0].length ?? 0;
  };
  const templatePart = (): void => {
    const length = match(TEMPLATE_PART);
    ranges.push({ from: at, to: at + length, comment: false });
    at += length;
    if (source.startsWith('${', at)) {
      templates.push(0);
      at += 2;
    } else at += 1;
  };
  while (at < source.length) {
    const char = source[at] as string;
    const comment = char === '/' ? match(COMMENT) : 0;
    const text = char === "'" || char === '"' ? match(QUOTED) : char === '/' && comment === 0 ? regularExpression(source, at, match) : 0;
    if (comment > 0) {
      ranges.push({ from: at, to: at + comment, comment: true });
      at += comment;
    } else if (text > 0) {
      ranges.push({ from: at + 1, to: source.lastIndexOf(char, at + text - 1), comment: false });
      at += text;
    } else {
      at += 1;
      if (char === '`') templatePart();
      else if (templates.length > 0 && char === '{') templates[templates.length - 1] = (templates.at(-1) as number) + 1;
      else if (templates.length > 0 && char === '}') {
        const open = templates.pop() as number;
        if (open === 0) templatePart();
        else templates.push(open - 1);
      }
    }
  }
  return ranges;
}

function regularExpression(source: string, at: number, match: (pattern: RegExp) => number): number {
  return EXPECTS_VALUE.test(source.slice(Math.max(0, at - 40), at)) ? match(REGULAR_EXPRESSION) : 0;
}
