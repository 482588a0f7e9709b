/**
 * Fills the columns of one shape from records: as a generated function, or interpreted with the same result.
 *
 * Invariants: 1. a program either takes all records or returns the index of the first that does not fit its shape, and then what it
 * wrote counts for nothing; 2. names of fields get into source only as JSON strings, and constants by binding.
 */
import type { ByteWriter } from '../common/bytes.js';
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
import type { RecentStrings } from './recent-strings.js';
import { writeValue } from './row.js';
import { BOOLEAN, DATE, DECLARED_ANY, DOUBLE, hasFields, INT, isInt32, isTuple, NULL, OTHER, STRING, UNDEFINED } from './shape.js';
import type { StreamCode } from './stream-code.js';

/** Longer strings need lengths of 4 bytes. */
const SHORT_LENGTH_MAX = SHORT_REFERENCE - 1;

/** What a program writes besides the columns. */
export interface EncodeSink {
  /** All strings, one after another. */
  text: string;
  /** Keeps the engine from dropping the reads that flatten strings. */
  guard: number;
  readonly rows: ByteWriter;
  readonly registry: ClassRegistry | undefined;
  /** Of each column of strings, by `leaf.strings`; begun for the batch. */
  recent: readonly RecentStrings[];
}

/**
 * Encodes values[start, start + count) into columns that begin at byte `base` of the views; returns `count`, or the index of the first
 * record that does not fit.
 */
export type EncodeProgram = (
  values: readonly unknown[],
  start: number,
  count: number,
  views: ColumnViews,
  base: number,
  sink: EncodeSink,
) => number;

/** `checked`: false if the fields are declared: further ones do not matter then, and in an integer column -0 becomes 0. */
export function encodeProgramOf(layout: ColumnLayout, checked: boolean, code: StreamCode | undefined): EncodeProgram {
  return (code && generate(layout, checked, code)) ?? interpret(layout, checked);
}

const MISFIT = 'return i;';

class Generator {
  readonly setup: string[] = [];
  readonly body: string[] = [];
  readonly names: (readonly string[])[] = [];
  /** Where in a record its strings are. */
  private readonly strings: string[] = [];
  private readonly wideLengths: boolean;
  private readonly checked: boolean;
  private variables = 0;

  constructor(wideLengths: boolean, checked: boolean) {
    this.wideLengths = wideLengths;
    this.checked = checked;
  }

  /** Puts an expression's value into a variable and encodes it. `path`: where in the record it is; `owner`: the tuple that it comes from, which may have a hole there. */
  node(columns: Columns, expression: string, path: string = '', owner?: { tuple: string; index: number }): void {
    const v = `v${this.variables++}`;
    this.body.push(`const ${v} = ${expression};`);
    if (columns.kind === 'leaf') {
      if (columns.mask === STRING) this.strings.push(path);
      if (owner !== undefined) this.body.push(`if (${v} === undefined && !Object.hasOwn(${owner.tuple}, ${owner.index})) ${MISFIT}`);
      this.leaf(columns, v);
    } else if (columns.kind === 'tuple') {
      this.body.push(`if (!isTuple(${v}, ${columns.children.length})) ${MISFIT}`);
      columns.children.forEach((child, index) => {
        this.node(child, `${v}[${index}]`, `${path}?.[${index}]`, { tuple: v, index });
      });
    } else {
      if (this.checked) this.body.push(`if (!hasFields(${v}, names[${this.names.push(columns.names) - 1}])) ${MISFIT}`);
      else this.body.push(`if (typeof ${v} !== 'object' || ${v} === null) ${MISFIT}`);
      columns.children.forEach((child, index) => {
        const name = JSON.stringify(columns.names[index]);
        this.node(child, `${v}[${name}]`, `${path}?.[${name}]`);
      });
    }
  }

  private leaf(leaf: LeafColumns, v: string): void {
    const { mask } = leaf;
    const cell = leaf.uint8 >= 0 ? this.cell('uint8', leaf.uint8) : '';
    if (leaf.tagged) this.tagged(leaf, v, cell);
    else if (mask === INT || mask === DOUBLE) this.body.push(`if (typeof ${v} !== 'number') ${MISFIT}`, this.number(leaf, v));
    else if (mask === STRING) this.body.push(`if (typeof ${v} !== 'string') ${MISFIT}`, this.string(leaf, v));
    else if (mask === BOOLEAN) this.body.push(`if (typeof ${v} !== 'boolean') ${MISFIT}`, `${cell} = ${v} ? 1 : 0;`);
    else if (mask === DATE) this.body.push(`if (!isDate(${v})) ${MISFIT}`, `${this.cell('float64', leaf.float64)} = ${v}.getTime();`);
    else if (mask === NULL) this.body.push(`if (${v} !== null) ${MISFIT}`);
    else if (mask === UNDEFINED) this.body.push(`if (${v} !== undefined) ${MISFIT}`);
    else if (mask === OTHER) this.body.push(`if (!isOther(${v})) ${MISFIT}`, `writeValue(rows, ${v}, registry);`);
    else this.body.push(`writeValue(rows, ${v}, registry);`);
  }

  private tagged(leaf: LeafColumns, v: string, cell: string): void {
    const { mask } = leaf;
    const branches: string[] = [];
    const branch = (bits: number, test: string, action: string): void => {
      if ((mask & bits) !== 0) branches.push(`if (${test}) { ${action} }`);
    };
    branch(
      INT | DOUBLE,
      `typeof ${v} === 'number'`,
      `${cell} = ${TAG_NUMBER}; ${(mask & (INT | DOUBLE)) === 0 ? '' : this.number(leaf, v)}`,
    );
    if ((mask & STRING) !== 0) branch(STRING, `typeof ${v} === 'string'`, `${cell} = ${TAG_STRING}; ${this.string(leaf, v)}`);
    branch(BOOLEAN, `typeof ${v} === 'boolean'`, `${cell} = ${v} ? ${TAG_TRUE} : ${TAG_FALSE};`);
    branch(NULL, `${v} === null`, `${cell} = ${TAG_NULL};`);
    branch(UNDEFINED, `${v} === undefined`, `${cell} = ${TAG_UNDEFINED};`);
    if ((mask & DATE) !== 0) branch(DATE, `isDate(${v})`, `${cell} = ${TAG_DATE}; ${this.cell('float64', leaf.float64)} = ${v}.getTime();`);
    branch(OTHER, `isOther(${v})`, `${cell} = ${TAG_OTHER}; writeValue(rows, ${v}, registry);`);
    this.body.push(`${branches.join(' else ')} else ${MISFIT}`);
  }

  private number(leaf: LeafColumns, v: string): string {
    if ((leaf.mask & DOUBLE) !== 0) return `${this.cell('float64', leaf.float64)} = ${v};`;
    const negativeZero = this.checked ? ` || (${v} === 0 && 1 / ${v} < 0)` : '';
    return `if ((${v} | 0) !== ${v}${negativeZero}) ${MISFIT} ${this.cell('int32', leaf.int32)} = ${v};`;
  }

  private string(leaf: LeafColumns, v: string): string {
    const limit = this.wideLengths ? '' : `if (${v}.length > ${SHORT_LENGTH_MAX}) ${MISFIT} `;
    const lengths = this.cell(this.wideLengths ? 'int32' : 'uint16', leaf.lengths);
    const recent = `recent${leaf.strings}`;
    this.setup.push(`const ${recent} = sink.recent[${leaf.strings}];`, `const look${leaf.strings} = ${recent}.isLooking;`);
    // Reading a unit flattens a string that was built by `+=`: left as it is inside the joined text, it made encoding 60 times slower
    // (docs/performance).
    return `${limit}let r${v} = -1;
    if (${v}.length !== 0) { if (look${leaf.strings}) r${v} = ${recent}.find(${v}, i); else guard |= ${v}.charCodeAt(0); }
    if (r${v} >= 0) ${lengths} = ${this.wideLengths ? `-1 - r${v}` : `${SHORT_REFERENCE} + r${v}`}; else { ${lengths} = ${v}.length; text += ${v}; }`;
  }

  get touches(): boolean {
    return this.strings.length > 0;
  }

  /**
   * A function that reads each string once: in so short a loop the processor waits for many of those that are not in its caches at once; in the
   * main loop it would wait for one after the other (docs/performance). It is not part of the main function, which would be compiled while only
   * this loop had ever run.
   */
  touching(): string {
    if (!this.touches) return '';
    const reads = this.strings.map(
      (path) => `s = r${path}; if (typeof s === 'string' && s.length !== 0) guard |= s.charCodeAt(s.length - 1);`,
    );
    return `function touchStrings(values, start, count) {
  let guard = 0;
  for (let i = 0; i < count; i++) { const r = values[start + i]; let s; ${reads.join(' ')} }
  return guard;
}`;
  }

  private cell(view: ColumnView, place: number): string {
    return columnCell(view, place, this.setup);
  }
}

function generate(layout: ColumnLayout, checked: boolean, code: StreamCode): EncodeProgram | undefined {
  const generator = new Generator(layout.wideLengths, checked);
  generator.node(layout.root, 'values[start + i]');
  const source = `${generator.touching()}
return function encodeRecords(values, start, count, views, base, sink) {
  const { float64, int32, uint16, uint8 } = views;
  const { rows, registry } = sink;
  ${generator.setup.join('\n  ')}
  let text = '';
  let guard = ${generator.touches ? 'touchStrings(values, start, count)' : 0};
  for (let i = 0; i < count; i++) {
    ${generator.body.join('\n    ')}
  }
  sink.text = text;
  sink.guard = guard;
  return count;
};`;
  const { names } = generator;
  return code.once(`${source}\n${JSON.stringify(names)}`, () =>
    generatedFunction<EncodeProgram>(source, { hasFields, isTuple, isDate, isOther, writeValue, names }),
  );
}

function isDate(value: unknown): value is Date {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Date.prototype;
}

/** What only a row can hold; functions and symbols too, which the row codec then refuses. */
function isOther(value: unknown): boolean {
  return typeof value === 'object'
    ? value !== null && !isDate(value)
    : typeof value !== 'number' && typeof value !== 'string' && typeof value !== 'boolean' && value !== undefined;
}

/** The interpreted twin. */
class Interpreter {
  private readonly layout: ColumnLayout;
  private readonly checked: boolean;
  private index = 0;
  private count = 0;
  private views!: ColumnViews;
  private base = 0;
  private sink!: EncodeSink;

  constructor(layout: ColumnLayout, checked: boolean) {
    this.layout = layout;
    this.checked = checked;
  }

  run(values: readonly unknown[], start: number, count: number, views: ColumnViews, base: number, sink: EncodeSink): number {
    this.count = count;
    this.views = views;
    this.base = base;
    this.sink = sink;
    sink.text = '';
    for (let i = 0; i < count; i++) {
      this.index = i;
      if (!this.node(this.layout.root, values[start + i])) return i;
    }
    return count;
  }

  /** Where the record's value of a column lies, in elements of 2 ** shift bytes. */
  private at(shift: number, place: number): number {
    return (this.base >>> shift) + place * this.count + this.index;
  }

  private node(columns: Columns, value: unknown): boolean {
    if (columns.kind === 'leaf') return this.leaf(columns, value);
    if (columns.kind === 'tuple') {
      if (!isTuple(value, columns.children.length)) return false;
      return columns.children.every((child, i) => (value[i] !== undefined || Object.hasOwn(value, i)) && this.node(child, value[i]));
    }
    const { names } = columns;
    if (this.checked ? !hasFields(value, names) : typeof value !== 'object' || value === null) return false;
    return columns.children.every((child, i) => this.node(child, (value as Record<string, unknown>)[names[i] as string]));
  }

  private leaf(leaf: LeafColumns, value: unknown): boolean {
    const { mask } = leaf;
    if (mask === DECLARED_ANY) return this.row(value);
    if (leaf.tagged) return this.tagged(leaf, value);
    if (mask === INT || mask === DOUBLE) return typeof value === 'number' && this.number(leaf, value);
    if (mask === STRING) return typeof value === 'string' && this.string(leaf, value);
    if (mask === BOOLEAN) return typeof value === 'boolean' && this.tag(leaf, value ? 1 : 0);
    if (mask === DATE) return isDate(value) && this.date(leaf, value);
    if (mask === NULL) return value === null;
    return mask === UNDEFINED ? value === undefined : isOther(value) && this.row(value);
  }

  private tagged(leaf: LeafColumns, value: unknown): boolean {
    const { mask } = leaf;
    if (typeof value === 'number') return (mask & (INT | DOUBLE)) !== 0 && this.tag(leaf, TAG_NUMBER) && this.number(leaf, value);
    if (typeof value === 'string') return (mask & STRING) !== 0 && this.tag(leaf, TAG_STRING) && this.string(leaf, value);
    if (typeof value === 'boolean') return (mask & BOOLEAN) !== 0 && this.tag(leaf, value ? TAG_TRUE : TAG_FALSE);
    if (value === null) return (mask & NULL) !== 0 && this.tag(leaf, TAG_NULL);
    if (value === undefined) return (mask & UNDEFINED) !== 0 && this.tag(leaf, TAG_UNDEFINED);
    if (isDate(value)) return (mask & DATE) !== 0 && this.tag(leaf, TAG_DATE) && this.date(leaf, value);
    return (mask & OTHER) !== 0 && this.tag(leaf, TAG_OTHER) && this.row(value);
  }

  private tag(leaf: LeafColumns, tag: number): boolean {
    this.views.uint8[this.at(0, leaf.uint8)] = tag;
    return true;
  }

  private number(leaf: LeafColumns, value: number): boolean {
    if ((leaf.mask & DOUBLE) !== 0) this.views.float64[this.at(3, leaf.float64)] = value;
    else if (this.checked ? isInt32(value) : (value | 0) === value) this.views.int32[this.at(2, leaf.int32)] = value;
    else return false;
    return true;
  }

  private string(leaf: LeafColumns, value: string): boolean {
    const { wideLengths } = this.layout;
    if (!wideLengths && value.length > SHORT_LENGTH_MAX) return false;
    const recent = this.sink.recent[leaf.strings] as RecentStrings;
    const record = value.length > 0 && recent.isLooking ? recent.find(value, this.index) : -1;
    if (wideLengths) this.views.int32[this.at(2, leaf.lengths)] = record < 0 ? value.length : -1 - record;
    else this.views.uint16[this.at(1, leaf.lengths)] = record < 0 ? value.length : SHORT_REFERENCE + record;
    if (record >= 0) return true;
    if (value.length !== 0) this.sink.guard |= value.charCodeAt(0);
    this.sink.text += value;
    return true;
  }

  private date(leaf: LeafColumns, value: Date): boolean {
    this.views.float64[this.at(3, leaf.float64)] = value.getTime();
    return true;
  }

  private row(value: unknown): boolean {
    writeValue(this.sink.rows, value, this.sink.registry);
    return true;
  }
}

function interpret(layout: ColumnLayout, checked: boolean): EncodeProgram {
  const interpreter = new Interpreter(layout, checked);
  return (values, start, count, views, base, sink) => interpreter.run(values, start, count, views, base, sink);
}
