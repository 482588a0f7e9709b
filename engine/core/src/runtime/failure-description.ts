/** Failures of a task as users see them: which operator, uid and subtask, at which record, with the user's stack. */
import { crc32, formatCrc32 } from '../common/checksum.js';
import { MillstreamError } from '../common/errors.js';
import { ChainFailure, PromiseReturned } from './chain.js';
import { encodeValue } from './operator-state.js';
import type { RecordPosition } from './slot-messages.js';
import type { Task } from './task.js';
import type { TaskOperator } from './task-operator.js';

/** Turns a failure inside a chain into an error that names operator, uid, subtask and the record's position. */
export function describeFailure(task: Task, error: unknown): { error: unknown; position: RecordPosition | undefined } {
  if (!(error instanceof ChainFailure)) return { error, position: undefined };
  const operator = task.operators[error.step] as TaskOperator;
  const { cause } = error;
  const place = placeOf(task, operator, error);
  const where = `${operator.label}, subtask ${task.options.subtaskIndex}`;
  const at = place === undefined ? `after ${task.options.recordsIn[0]} records` : `at ${place.position}`;
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
function placeOf(task: Task, operator: TaskOperator, { offset, cause }: ChainFailure): RecordPosition | undefined {
  const uid = operator.node.uid ?? operator.node.id;
  if (offset < 0) {
    // A reader that cannot read a record has given none to the chain.
    const { file, line } = cause instanceof MillstreamError && cause.code === 'MALFORMED_RECORD' ? cause.details : {};
    return file === undefined ? undefined : { operator: uid, position: `${file}:${line}`, record: `${file}:${line}` };
  }
  const { source, recordsIn } = task.options;
  const { position, stable } = source?.describePosition(offset) ?? { position: `record ${recordsIn[0]} of the subtask`, stable: false };
  return { operator: uid, position, record: stable ? position : (contentOf(task, operator, offset) ?? position) };
}

/** Another attempt may meet records in another order and begin to count elsewhere; what is in the record stays. */
function contentOf(task: Task, operator: TaskOperator, offset: number): string | undefined {
  try {
    const { source } = task.options;
    const bytes = encodeValue(source === undefined ? task.batch?.values[offset] : source.recordAt(offset), operator.classes);
    return `${bytes.length} bytes with checksum ${formatCrc32(crc32(bytes))}`;
  } catch {
    return undefined;
  }
}
