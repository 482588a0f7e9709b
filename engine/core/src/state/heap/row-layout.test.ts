import { describe, expect, it } from 'vitest';
import { MillstreamError } from '../../common/errors.js';
import { isNumericSchema, rowLayoutOf } from './row-layout.js';
import type { TableField } from './snapshot-format.js';

const FIELDS: TableField[] = [
  { name: 'count', type: 'int32' },
  { name: 'a "quoted" name\n', type: 'float64' },
  { name: 'constructor', type: 'boolean' },
  { name: 'sum', type: 'float64' },
  { name: '0', type: 'int32' },
];

const RECORD = { count: -(2 ** 31), 'a "quoted" name\n': Number.NaN, constructor: true, sum: -0, '0': 2 ** 31 - 1 };

describe.each([true, false])('rows, generated: %s', (generate) => {
  const layout = rowLayoutOf('state', FIELDS, generate);
  const f64 = new Float64Array(layout.stride * 3);
  const i32 = new Int32Array(f64.buffer);

  it('give back what was written, as plain objects in the declared order', () => {
    layout.write(f64, i32, 1, { ...RECORD, undeclared: 1 });
    const record = layout.read(f64, i32, 1) as object;
    expect(record).toStrictEqual(RECORD);
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
    expect(Object.keys(record)).toEqual(Object.keys(RECORD));
  });

  it('leave their neighbours, key and marks alone', () => {
    f64.fill(0);
    layout.write(f64, i32, 1, { count: -1, 'a "quoted" name\n': 1, constructor: true, sum: 1, '0': -1 });
    expect(i32.subarray(0, layout.stride * 2 + 4).every((word) => word === 0)).toBe(true);
    expect(i32.subarray(layout.stride * 4).every((word) => word === 0)).toBe(true);
  });

  it.each([
    ['count', 1.5],
    ['count', 2 ** 31],
    ['count', Number.NaN],
    ['count', 1n],
    ['count', undefined],
    ['sum', '1'],
    ['sum', null],
    ['constructor', 1],
  ])('refuse %s: %s and keep what they held', (name, value) => {
    layout.write(f64, i32, 1, RECORD);
    const write = (): void => layout.write(f64, i32, 1, { ...RECORD, [name]: value });
    expect(write).toThrow(MillstreamError);
    expect(write).toThrow(new RegExp(`field "${name}" of the state "state"`));
    expect(layout.read(f64, i32, 1)).toStrictEqual(RECORD);
  });

  it.each([null, 1, 'text'])('refuse %s in place of a record', (value) => {
    expect(() => layout.write(f64, i32, 1, value)).toThrow(/declares a record/);
  });
});

it('takes only schemas with numbers and booleans', () => {
  expect(isNumericSchema(FIELDS)).toBe(true);
  expect(isNumericSchema([])).toBe(false);
  expect(isNumericSchema([...FIELDS, { name: 'text', type: 'string' }])).toBe(false);
  expect(isNumericSchema([{ name: '__proto__', type: 'int32' }])).toBe(false);
});
