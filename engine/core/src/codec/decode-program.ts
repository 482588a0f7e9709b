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

export function decodeProgramOf(layout: ColumnLayout, constructors: RecordConstructors, codegen: boolean): DecodeProgram {
  return (codegen ? generate(layout, constructors) : undefined) ?? interpret(layout);
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
  private readonly known: RecordConstructors;
  private readonly wideLengths: boolean;

  constructor(known: RecordConstructors, wideLengths: boolean) {
    this.known = known;
    this.wideLengths = wideLengths;
  }

  /** The expression of a value; undefined where code generation is forbidden. Evaluated left to right, which the strings' order needs. */
  node(columns: Columns): string | undefined {
    if (columns.kind === 'leaf') return this.leaf(columns);
    const parts: string[] = [];
    for (const child of columns.children) {
      const part = this.node(child);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    if (columns.kind === 'tuple') return `[${parts.join(', ')}]`;
    const record = this.known.of(columns.names);
    if (record === undefined) return undefined;
    const name = `Record${this.constructors.push(record) - 1}`;
    return `new ${name}(${parts.join(', ')})`;
  }

  private leaf(leaf: LeafColumns): string {
    if (leaf.tagged) return this.tagged(leaf);
    switch (leaf.mask) {
      case INT:
      case DOUBLE:
        return this.number(leaf);
      case STRING:
        return this.string(leaf);
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

  private tagged(leaf: LeafColumns): string {
    const { mask } = leaf;
    const cases: [number, number, string][] = [];
    if ((mask & (INT | DOUBLE)) !== 0) cases.push([INT | DOUBLE, TAG_NUMBER, this.number(leaf)]);
    if ((mask & STRING) !== 0) cases.push([STRING, TAG_STRING, this.string(leaf)]);
    if ((mask & BOOLEAN) !== 0) cases.push([BOOLEAN, TAG_FALSE, 'false'], [BOOLEAN, TAG_TRUE, 'true']);
    if ((mask & DATE) !== 0) cases.push([DATE, TAG_DATE, `new Date(${this.cell('float64', leaf.float64)})`]);
    cases.push([NULL, TAG_NULL, 'null'], [UNDEFINED, TAG_UNDEFINED, 'undefined'], [-1, TAG_OTHER, 'readValue(rows, registry)']);
    const branches = cases.filter(([bits]) => (mask & bits) !== 0).map(([, tag, value]) => `tag === ${tag} ? ${value} : `);
    return `((tag = ${this.cell('uint8', leaf.uint8)}), ${branches.join('')}unknownTag(tag))`;
  }

  private number(leaf: LeafColumns): string {
    return (leaf.mask & DOUBLE) !== 0 ? this.cell('float64', leaf.float64) : this.cell('int32', leaf.int32);
  }

  private string(leaf: LeafColumns): string {
    return `text.substring(at, at += ${this.cell(this.wideLengths ? 'int32' : 'uint16', leaf.lengths)})`;
  }

  private cell(view: ColumnView, place: number): string {
    return columnCell(view, place, this.setup);
  }
}

function generate(layout: ColumnLayout, constructors: RecordConstructors): DecodeProgram | undefined {
  const generator = new Generator(constructors, layout.wideLengths);
  const value = generator.node(layout.root);
  if (value === undefined) return undefined;
  const source = `return function decodeRecords(target, count, views, base, source) {
  const { float64, int32, uint16, uint8 } = views;
  const { text, rows, registry } = source;
  ${generator.setup.join('\n  ')}
  let at = 0;
  let tag = 0;
  for (let i = 0; i < count; i++) target[i] = ${value};
  return at;
};`;
  const bindings: Record<string, unknown> = { readValue, unknownTag };
  generator.constructors.forEach((record, index) => {
    bindings[`Record${index}`] = record;
  });
  return generatedFunction<DecodeProgram>(source, bindings);
}

/** The interpreted twin. */
class Interpreter {
  private readonly layout: ColumnLayout;
  private index = 0;
  private count = 0;
  private at = 0;
  private views!: ColumnViews;
  private base = 0;
  private source!: DecodeSource;

  constructor(layout: ColumnLayout) {
    this.layout = layout;
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
    const start = this.at;
    this.at += (this.layout.wideLengths ? int32[this.column(2, leaf.lengths)] : uint16[this.column(1, leaf.lengths)]) as number;
    return this.source.text.substring(start, this.at);
  }

  private date(leaf: LeafColumns): Date {
    return new Date(this.views.float64[this.column(3, leaf.float64)] as number);
  }
}

function interpret(layout: ColumnLayout): DecodeProgram {
  const interpreter = new Interpreter(layout);
  return (target, count, views, base, source) => interpreter.run(target, count, views, base, source);
}
