import { describe, expect, it } from 'vitest';
import { type FailurePlace, NO_POISON_RECORD, poisonRecordError, recordFailure } from './poison-record.js';

const place = (operator: string, record: string, position = record): FailurePlace => ({ operator, position, record });

/** What `recordFailure` says of failures at these places, one after another. */
function answers(...places: (FailurePlace | undefined)[]): boolean[] {
  let state = NO_POISON_RECORD;
  return places.map((each) => {
    const answer = recordFailure(state, each);
    state = answer.state;
    return answer.poison;
  });
}

describe('poison records', () => {
  const a = place('a', 'file:1');

  it('are found when the same record has failed three restarts in a row', () => {
    expect(answers(a, a, a, a)).toEqual([false, false, false, true]);
  });

  it('need the same operator and position without anything in between', () => {
    expect(answers(a, a, a, place('a', 'file:2'), a, a, a)).not.toContain(true);
    expect(answers(a, a, a, place('b', 'file:1'), a, a, a)).not.toContain(true);
    expect(answers(a, a, a, undefined, a, a, a)).not.toContain(true);
    expect(answers(undefined, undefined, undefined, undefined)).not.toContain(true);
  });

  it('are the same wherever an attempt met them', () => {
    expect(answers(...[7, 3, 3, 1].map((count) => place('a', 'b3d0', `record ${count} of the subtask`)))).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it.each(['no such airport.', 'no such airport'])('name themselves in the error, with "%s" as a sentence', (message) => {
    const error = poisonRecordError(a, new Error(message));
    expect(error).toMatchObject({ code: 'POISON_RECORD', domain: 'user', retryable: false, details: a });
    expect(error.message).toMatch(/'file:1' failed operator 'a' .* no such airport\. Correct the program/);
  });
});
