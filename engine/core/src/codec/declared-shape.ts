/** Shapes that a schema declares, and what to say of a record that does not keep to it. */
import { MillstreamError } from '../common/errors.js';
import type { ClassRegistry } from './class-registry.js';
import type { FieldType, Schema } from './schema.js';
import { BOOLEAN, DECLARED_ANY, DOUBLE, INT, SHAPE_LEAVES_MAX, type Shape, STRING } from './shape.js';
import { checkValue, typeNameOf } from './value-check.js';

const MASKS: Readonly<Record<FieldType, number>> = { int32: INT, float64: DOUBLE, boolean: BOOLEAN, string: STRING, any: DECLARED_ANY };

/** Throws `INVALID_OPTION` for a schema that cannot be encoded. */
export function declaredShapeOf(schema: Schema<unknown>): Shape {
  const names = schema.fields.map((field) => field.name);
  const bad = names.find((name, index) => name === '__proto__' || names.indexOf(name) !== index);
  if (bad !== undefined || names.length > SHAPE_LEAVES_MAX) {
    throw new MillstreamError(
      'INVALID_OPTION',
      bad === undefined
        ? `Cannot use a schema of ${names.length} fields: it may have ${SHAPE_LEAVES_MAX}. Put some of them into a nested object, as one field of type any.`
        : `Cannot use a schema with the field ${JSON.stringify(bad)}: the name is declared twice or reserved by JavaScript. Rename the field.`,
    );
  }
  return { kind: 'object', names, children: schema.fields.map((field) => ({ kind: 'leaf', mask: MASKS[field.type] })) };
}

function holds(type: FieldType, value: unknown): boolean {
  switch (type) {
    case 'int32':
      return typeof value === 'number' && (value | 0) === value;
    case 'float64':
      return typeof value === 'number';
    case 'any':
      return true;
    default:
      return typeof value === type;
  }
}

/** The error for a record that does not keep to its schema; undefined if it does. Throws for values that no record may hold. */
export function schemaViolation(schema: Schema<unknown>, record: unknown, registry?: ClassRegistry): MillstreamError | undefined {
  const error = (path: string, found: string, declared: string): MillstreamError =>
    new MillstreamError(
      'UNSUPPORTED_VALUE',
      `Cannot encode ${path}: it is ${found}, but its schema declares ${declared}. Correct the schema or the operator that emits the record.`,
      { details: { path } },
    );
  if (typeof record !== 'object' || record === null) return error('value', `of type ${typeNameOf(record)}`, 'an object');
  for (const { name, type } of schema.fields) {
    const value = (record as Record<string, unknown>)[name];
    if (type === 'any') checkValue(value, registry, `value.${name}`);
    if (holds(type, value)) continue;
    return error(
      `value.${name}`,
      type === 'int32' && typeof value === 'number' ? 'a number that is no 32-bit integer' : `of type ${typeNameOf(value)}`,
      type,
    );
  }
  return undefined;
}
