/** The key selector of an operator's input. */
import { invariant } from '../common/errors.js';
import type { KeySelector, OperatorContext } from './operator.js';

export function keySelectorOf(context: OperatorContext, input: 0 | 1): KeySelector {
  const selector = context.keySelectors[input];
  invariant(selector !== undefined, `Operator '${context.name}' has no key selector for input ${input}`);
  return selector;
}
