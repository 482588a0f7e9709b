/** Failures of a task as users see them: which operator, uid and subtask, at which record, with the user's stack. */
import { MillstreamError } from '../common/errors.js';
import { ChainFailure, PromiseReturned } from './chain.js';
import type { RecordPosition } from './slot-messages.js';
import type { Task } from './task.js';
import type { TaskOperator } from './task-operator.js';

/** Turns a failure inside a chain into an error that names operator, uid, subtask and the record's position. */
export function describeFailure(task: Task, error: unknown): { error: unknown; position: RecordPosition | undefined } {
  if (!(error instanceof ChainFailure)) return { error, position: undefined };
  const operator = task.operators[error.step] as TaskOperator;
  const { cause } = error;
  const position = positionOf(task, error);
  const where = `${operator.label}, subtask ${task.options.subtaskIndex}`;
  const at = position === undefined ? `after ${task.options.recordsIn[0]} records` : `at ${position}`;
  const place = position === undefined ? undefined : { operator: operator.node.uid ?? operator.node.id, position };
  if (cause instanceof PromiseReturned) {
    return {
      error: new MillstreamError(
        'PROMISE_RETURNED',
        `Cannot use an asynchronous function in operator ${where} (${at}): it returned a promise where a plain result is needed. Use mapAsync for asynchronous work.`,
      ),
      position: place,
    };
  }
  if (cause instanceof MillstreamError) {
    const named = new MillstreamError(cause.code, `${cause.message} (operator ${where}, ${at})`, {
      details: cause.details,
      cause: cause.cause,
      retryable: cause.retryable,
    });
    named.stack = `${named.name}: ${named.message}\n${(cause.stack ?? '').split('\n').slice(1).join('\n')}`;
    return { error: named, position: place };
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  const failure = new MillstreamError('OPERATOR_FAILED', `Operator ${where} failed ${at}: ${message}`, { cause });
  if (cause instanceof Error) failure.stack = `${failure.name}: ${failure.message}\n${(cause.stack ?? '').split('\n').slice(1).join('\n')}`;
  return { error: failure, position: place };
}

/** Undefined where no record was at fault: timers, watermarks, barriers, the end of input. */
function positionOf(task: Task, { offset }: ChainFailure): string | undefined {
  if (offset < 0) return undefined;
  const { source, recordsIn } = task.options;
  return source === undefined ? `record ${recordsIn[0]} of the subtask` : source.describePosition(offset);
}
