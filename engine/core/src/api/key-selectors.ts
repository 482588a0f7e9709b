/** Key selectors from what `keyBy` takes: a function, or a field's name. */
import { MillstreamError } from '../common/errors.js';
import type { KeySelector } from '../operators/operator.js';

/** Throws INVALID_FUNCTION for anything but a function or a field's name. */
export function keySelectorFrom(selector: unknown): KeySelector {
  if (typeof selector === 'function') return selector as KeySelector;
  if (typeof selector === 'string' && selector !== '') return fieldSelector(selector);
  throw new MillstreamError(
    'INVALID_FUNCTION',
    `Cannot use ${JSON.stringify(selector) ?? String(selector)} as a key selector: it must be a function of the record, or the name of a field.`,
  );
}

/**
 * A function that reads one field. Generated, because a closure over the name would share its code, and with it the inline cache,
 * among all fields and record shapes; where code generation is forbidden, the closure it is.
 */
function fieldSelector(field: string): KeySelector {
  try {
    return new Function('value', `return value[${JSON.stringify(field)}];`) as KeySelector;
  } catch {
    return (value) => (value as Record<string, never>)[field] as never;
  }
}
