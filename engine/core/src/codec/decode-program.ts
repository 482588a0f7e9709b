/**
 * Makes records from the columns of one shape: as a generated function, or interpreted with the same result.
 *
 * Invariants: 1. columns that do not make sense give `CORRUPT_DATA` or some values; 2. names of fields get into source only as JSON
 * strings.
 */
import type { ByteReader } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import type { ClassRegistry } from './class-registry.js';
import {
  type ColumnLayout,
  type Columns,
  type ColumnView,
  columnCell,
  type LeafColumns,
  SHORT_REFERENCE,
  TAG_DATE,
  TAG_FALSE,
  TAG_NULL,
  TAG_NUMBER,
  TAG_OTHER,
  TAG_STRING,
  TAG_TRUE,
  TAG_UNDEFINED,
} from './column-layout.js';
import type { ColumnViews } from './column-views.js';
import { generatedFunction } from './generated-function.js';
import type { RecordConstructor, RecordConstructors } from './record-constructors.js';
import { readValue } from './row.js';
import { BOOLEAN, DATE, DOUBLE, INT, NULL, STRING, UNDEFINED } from './shape.js';
import type { StreamCode } from './stream-code.js';

/** What a program reads besides the columns. */
export interface DecodeSource {
  /** All strings, one after another. */
  text: string;
  /** Stands before the first row. */
  rows: ByteReader;
  readonly registry: ClassRegistry | undefined;
}

/**
 * Puts `count` records, whose columns begin at byte `base` of the views, into target[0, count). Returns how many UTF-16 units of the text
 * they took.
 */
export type DecodeProgram = (target: unknown[], count: number, views: ColumnViews, base: number, source: DecodeSource) => number;

/** `references`: whether a length may be one. */
export function decodeProgramOf(layout: ColumnLayout, references: boolean, code: StreamCode | undefined): DecodeProgram {
  return (code && generate(layout, references, code)) ?? interpret(layout, references);
}

/** The record that record `index` refers to. */
function earlier(record: number, index: number): number {
  if (record < index) return record;
  throw new MillstreamError(
    'CORRUPT_DATA',
    `Cannot read a column: record ${index} refers to record ${record}. The data is damaged or of another version.`,
  );
}

function unknownTag(tag: unknown): never {
  throw new MillstreamError(
    'CORRUPT_DATA',
    `Cannot read a column: a value has the tag ${String(tag)}. The data is damaged or of another version.`,
  );
}

class Generator {
  readonly setup: string[] = [];
  readonly constructors: RecordConstructor[] = [];
  /** Of each constructor. */
  readonly fields: (readonly string[])[] = [];
  private readonly known: RecordConstructors;
  private readonly wideLengths: boolean;
  private readonly references: boolean;

  constructor(known: RecordConstructors, wideLengths: boolean, references: boolean) {
    this.known = known;
    this.wideLengths = wideLengths;
    this.references = references;
  }

  /**
   * The expression of a value, which lies at `path` of its record; undefined where code generation is forbidden. Evaluated left to right,
   * which the strings' order needs.
   */
  node(columns: Columns, path: string): string | undefined {
    if (columns.kind === 'leaf') return this.leaf(columns, path);
    const parts: string[] = [];
    for (const [index, child] of columns.children.entries()) {
      const step = columns.kind === 'tuple' ? index : columns.names[index];
      const part = this.node(child, `${path}[${JSON.stringify(step)}]`);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    if (columns.kind === 'tuple') return `[${parts.join(', ')}]`;
    const record = this.known.of(columns.names);
    if (record === undefined) return undefined;
    const name = `Record${this.constructors.push(record) - 1}`;
    this.fields.push(columns.names);
    return `new ${name}(${parts.join(', ')})`;
  }

  private leaf(leaf: LeafColumns, path: string): string {
    if (leaf.tagged) return this.tagged(leaf, path);
    switch (leaf.mask) {
      case INT:
      case DOUBLE:
        return this.number(leaf);
      case STRING:
        return this.string(leaf, path);
      case BOOLEAN:
        return `${this.cell('uint8', leaf.uint8)} !== 0`;
      case DATE:
        return `new Date(${this.cell('float64', leaf.float64)})`;
      case NULL:
        return 'null';
      case UNDEFINED:
        return 'undefined';
      default:
        return 'readValue(rows, registry)';
    }
  }

  private tagged(leaf: LeafColumns, path: string): string {
    const { mask } = leaf;
    const cases: [number, number, string][] = [];
    if ((mask & (INT | DOUBLE)) !== 0) cases.push([INT | DOUBLE, TAG_NUMBER, this.number(leaf)]);
    if ((mask & STRING) !== 0) cases.push([STRING, TAG_STRING, this.string(leaf, path)]);
    if ((mask & BOOLEAN) !== 0) cases.push([BOOLEAN, TAG_FALSE, 'false'], [BOOLEAN, TAG_TRUE, 'true']);
    if ((mask & DATE) !== 0) cases.push([DATE, TAG_DATE, `new Date(${this.cell('float64', leaf.float64)})`]);
    cases.push([NULL, TAG_NULL, 'null'], [UNDEFINED, TAG_UNDEFINED, 'undefined'], [-1, TAG_OTHER, 'readValue(rows, registry)']);
    const branches = cases.filter(([bits]) => (mask & bits) !== 0).map(([, tag, value]) => `tag === ${tag} ? ${value} : `);
    return `((tag = ${this.cell('uint8', leaf.uint8)}), ${branches.join('')}unknownTag(tag))`;
  }

  private number(leaf: LeafColumns): string {
    return (leaf.mask & DOUBLE) !== 0 ? this.cell('float64', leaf.float64) : this.cell('int32', leaf.int32);
  }

  private string(leaf: LeafColumns, path: string): string {
    const length = this.cell(this.wideLengths ? 'int32' : 'uint16', leaf.lengths);
    if (!this.references) return `text.substring(at, at += ${length})`;
    const [isReference, record] = this.wideLengths ? ['n < 0', '-1 - n'] : [`n >= ${SHORT_REFERENCE}`, `n - ${SHORT_REFERENCE}`];
    return `((n = ${length}), ${isReference} ? target[earlier(${record}, i)]${path} : text.substring(at, at += n))`;
  }

  private cell(view: ColumnView, place: number): string {
    return columnCell(view, place, this.setup);
  }
}

function generate(layout: ColumnLayout, references: boolean, code: StreamCode): DecodeProgram | undefined {
  const generator = new Generator(code.constructors, layout.wideLengths, references);
  const value = generator.node(layout.root, '');
  if (value === undefined) return undefined;
  const source = `return function decodeRecords(target, count, views, base, source) {
  const { float64, int32, uint16, uint8 } = views;
  const { text, rows, registry } = source;
  ${generator.setup.join('\n  ')}
  let at = 0;
  let tag = 0;
  let n = 0;
  for (let i = 0; i < count; i++) target[i] = ${value};
  return at;
};`;
  const bindings: Record<string, unknown> = { readValue, unknownTag, earlier };
  generator.constructors.forEach((record, index) => {
    bindings[`Record${index}`] = record;
  });
  return code.once(`${source}\n${JSON.stringify(generator.fields)}`, () => generatedFunction<DecodeProgram>(source, bindings));
}

/** The interpreted twin. */
class Interpreter {
  private readonly layout: ColumnLayout;
  private readonly references: boolean;
  private index = 0;
  private count = 0;
  private at = 0;
  private views!: ColumnViews;
  private base = 0;
  private source!: DecodeSource;
  /** The strings of each column, by record: what may be referred to. */
  private readonly strings: string[][];

  constructor(layout: ColumnLayout, references: boolean) {
    this.layout = layout;
    this.references = references;
    this.strings = Array.from({ length: layout.stringColumns }, () => []);
  }

  run(target: unknown[], count: number, views: ColumnViews, base: number, source: DecodeSource): number {
    this.count = count;
    this.views = views;
    this.base = base;
    this.source = source;
    this.at = 0;
    for (let i = 0; i < count; i++) {
      this.index = i;
      target[i] = this.node(this.layout.root);
    }
    for (const strings of this.strings) strings.length = 0;
    return this.at;
  }

  /** Where the record's value of a column lies, in elements of 2 ** shift bytes. */
  private column(shift: number, place: number): number {
    return (this.base >>> shift) + place * this.count + this.index;
  }

  private node(columns: Columns): unknown {
    if (columns.kind === 'leaf') return columns.tagged ? this.tagged(columns) : this.leaf(columns);
    if (columns.kind === 'tuple') return columns.children.map((child) => this.node(child));
    const record: Record<string, unknown> = {};
    columns.children.forEach((child, i) => {
      record[columns.names[i] as string] = this.node(child);
    });
    return record;
  }

  private leaf(leaf: LeafColumns): unknown {
    switch (leaf.mask) {
      case INT:
      case DOUBLE:
        return this.number(leaf);
      case STRING:
        return this.string(leaf);
      case BOOLEAN:
        return this.views.uint8[this.column(0, leaf.uint8)] !== 0;
      case DATE:
        return this.date(leaf);
      case NULL:
        return null;
      case UNDEFINED:
        return undefined;
      default:
        return readValue(this.source.rows, this.source.registry);
    }
  }

  private tagged(leaf: LeafColumns): unknown {
    const tag = this.views.uint8[this.column(0, leaf.uint8)] as number;
    const { mask } = leaf;
    if (tag === TAG_NUMBER && (mask & (INT | DOUBLE)) !== 0) return this.number(leaf);
    if (tag === TAG_STRING && (mask & STRING) !== 0) return this.string(leaf);
    if ((tag === TAG_FALSE || tag === TAG_TRUE) && (mask & BOOLEAN) !== 0) return tag === TAG_TRUE;
    if (tag === TAG_DATE && (mask & DATE) !== 0) return this.date(leaf);
    if (tag === TAG_NULL && (mask & NULL) !== 0) return null;
    if (tag === TAG_UNDEFINED && (mask & UNDEFINED) !== 0) return undefined;
    return tag === TAG_OTHER ? readValue(this.source.rows, this.source.registry) : unknownTag(tag);
  }

  private number(leaf: LeafColumns): number | undefined {
    const { float64, int32 } = this.views;
    return (leaf.mask & DOUBLE) !== 0 ? float64[this.column(3, leaf.float64)] : int32[this.column(2, leaf.int32)];
  }

  private string(leaf: LeafColumns): string {
    const { int32, uint16 } = this.views;
    const { wideLengths } = this.layout;
    const length = (wideLengths ? int32[this.column(2, leaf.lengths)] : uint16[this.column(1, leaf.lengths)]) as number;
    const strings = this.strings[leaf.strings] as string[];
    const isReference = this.references && (wideLengths ? length < 0 : length >= SHORT_REFERENCE);
    const start = this.at;
    if (!isReference) this.at += length;
    const string = isReference
      ? (strings[earlier(wideLengths ? -1 - length : length - SHORT_REFERENCE, this.index)] as string)
      : this.source.text.substring(start, this.at);
    strings[this.index] = string;
    return string;
  }

  private date(leaf: LeafColumns): Date {
    return new Date(this.views.float64[this.column(3, leaf.float64)] as number);
  }
}

function interpret(layout: ColumnLayout, references: boolean): DecodeProgram {
  const interpreter = new Interpreter(layout, references);
  return (target, count, views, base, source) => interpreter.run(target, count, views, base, source);
}
