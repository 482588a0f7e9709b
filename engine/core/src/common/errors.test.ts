import { expect, it } from 'vitest';
import { asMillstreamError, MillstreamError, messageOf, textOf } from './errors.js';

it('anything may be thrown', () => {
  const cases: readonly [unknown, string, string][] = [
    [new RangeError('too far'), 'too far', 'RangeError: too far'],
    ['text', 'text', 'text'],
    [undefined, 'undefined', 'undefined'],
    [Symbol('s'), 'Symbol(s)', 'Symbol(s)'],
    [Object.create(null), 'a value that cannot be shown', 'a value that cannot be shown'],
    [{ toString: 1, valueOf: 1 }, 'a value that cannot be shown', 'a value that cannot be shown'],
  ];
  for (const [thrown, message, text] of cases) {
    expect([messageOf(thrown), textOf(thrown)]).toEqual([message, text]);
    expect(asMillstreamError(thrown)).toMatchObject({ code: 'INTERNAL', message });
  }
  const typed = new MillstreamError('INVALID_PLAN', 'typed');
  expect(asMillstreamError(typed)).toBe(typed);
});
