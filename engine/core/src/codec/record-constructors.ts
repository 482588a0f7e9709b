/**
 * Constructors of the objects that a decoder makes: plain objects (their prototype is Object.prototype), but with a hidden class of
 * their own for each stream, so that other code which makes objects of the same fields cannot slow the readers of these.
 */
import { generatedFunction } from './generated-function.js';

export type RecordConstructor = new (...values: unknown[]) => object;

/** One constructor per list of names, whatever the types of the columns. */
export class RecordConstructors {
  private readonly known = new Map<string, RecordConstructor>();

  /** undefined where code generation is forbidden. */
  of(names: readonly string[]): RecordConstructor | undefined {
    const key = JSON.stringify(names);
    let known = this.known.get(key);
    if (known !== undefined) return known;
    const parameters = names.map((_, index) => `p${index}`);
    const assignments = names.map((name, index) => `this[${JSON.stringify(name)}] = p${index};`);
    known = generatedFunction<RecordConstructor>(
      `function Record(${parameters.join(', ')}) { ${assignments.join(' ')} }\nRecord.prototype = Object.prototype;\nreturn Record;`,
      {},
    );
    if (known === undefined) return undefined;
    this.known.set(key, known);
    return known;
  }
}
