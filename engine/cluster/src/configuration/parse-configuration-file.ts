/**
 * Reads the text of a configuration file: YAML with flat keys, nested maps, or both mixed, as Flink 2 has it. Which keys there are is not
 * known here.
 *
 * Values stay the text that is written, so that they read alike in a file, in the environment and on the command line. A key without a
 * value sets nothing. No message quotes the file: it may hold secrets.
 */
import { MillstreamError } from 'millstream';
import type { OptionEntry, OptionOrigin } from 'millstream/cluster';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLParseError,
} from 'yaml';

/** What the library's own sentences say badly, or with a part of the file. */
const SENTENCES: { readonly [code: string]: string } = {
  BAD_DQ_ESCAPE: 'Invalid escape sequence',
  MULTIPLE_DOCS: 'A second document begins here; a configuration is one',
  TAG_RESOLVE_FAILED: 'Tags have no meaning here',
};

/** The options that `text` sets, in its order. `file` is what messages call it. Throws CONFIGURATION_UNREADABLE. */
export function parseConfigurationFile(file: string, text: string): OptionEntry[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, schema: 'core', merge: false });
  const originAt = (offset: number): OptionOrigin => {
    const { line, col } = lines.linePos(offset);
    return { layer: 'file', file, line, column: col };
  };
  const [error] = document.errors;
  if (error !== undefined) throw unreadable(file, lines.linePos(error.pos[0]), sentenceOf(error));
  const { contents } = document;
  if (contents === null || isNothing(contents)) return [];
  if (!isMap(contents)) throw unreadable(file, lines.linePos(contents.range[0]), 'Expected "key: value" lines');
  const entries: OptionEntry[] = [];
  readMap(contents, '', originAt, entries);
  return entries;
}

function readMap(
  map: YAMLMap<ParsedNode, ParsedNode | null>,
  prefix: string,
  originAt: (offset: number) => OptionOrigin,
  entries: OptionEntry[],
): void {
  const seen = new Map<string, number>();
  for (const { key: node, value } of map.items) {
    const origin = originAt(node.range[0]);
    const name = keyOf(node);
    if (name === undefined) {
      entries.push({ key: prefix, origin, problem: 'Cannot read this key: it must be text.' });
      continue;
    }
    const key = prefix === '' ? name : `${prefix}.${name}`;
    const before = seen.get(name);
    seen.set(name, before ?? node.range[0]);
    // Of an option the layers say so, which also find it under two spellings.
    if (before !== undefined && isMap(value)) {
      const first = originAt(before) as OptionOrigin & { readonly layer: 'file' };
      entries.push({ key, origin, problem: `Cannot begin "${key}" twice: it also begins at line ${first.line}. Join both.` });
    } else if (isMap(value)) readMap(value, key, originAt, entries);
    else if (value !== null && !isNothing(value)) entries.push({ key, origin, ...readValue(key, value) });
  }
}

/** Undefined where it is no text. */
function keyOf(node: ParsedNode): string | undefined {
  if (!isScalar(node) || node.tag !== undefined || node.anchor !== undefined) return undefined;
  const name = textOf(node);
  return name === '' ? undefined : name;
}

function readValue(key: string, value: ParsedNode): { readonly input: string } | { readonly problem: string } {
  if (isScalar(value) && value.tag === undefined && value.anchor === undefined) return { input: textOf(value) };
  const found = isAlias(value) ? 'an alias' : isSeq(value) ? 'a list' : 'a tag or an anchor';
  return { problem: `Cannot set option "${key}" to ${found}: write the value itself. Text that begins with *, & or ! needs quotes.` };
}

function textOf(scalar: Scalar): string {
  if (typeof scalar.value === 'boolean') return String(scalar.value);
  return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? String(scalar.value));
}

function isNothing(node: ParsedNode): boolean {
  return isScalar(node) && node.value === null && node.tag === undefined;
}

function sentenceOf({ code, message }: YAMLParseError): string {
  return SENTENCES[code] ?? (message.split(': ', 1)[0] as string);
}

function unreadable(file: string, { line, col }: { readonly line: number; readonly col: number }, found: string): MillstreamError {
  return new MillstreamError(
    'CONFIGURATION_UNREADABLE',
    `Cannot read the configuration file ${file}:${line}:${col}: ${found}. It must be YAML.`,
    {
      details: { file, line, column: col },
    },
  );
}
