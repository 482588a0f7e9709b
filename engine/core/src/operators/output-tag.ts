/** Names a side output. Two tags with the same id are the same output. */
import { MillstreamError } from '../common/errors.js';

/**
 * The name and type of a side output.
 * @example
 * const late = new OutputTag<Flight>('late');
 * // in a process function: ctx.output(late, flight); on its stream: stream.getSideOutput(late)
 */
export class OutputTag<T> {
  readonly id: string;
  /** Never set: carries the type of the output's records. */
  readonly type?: T;

  constructor(id: string) {
    if (typeof id !== 'string' || id === '') {
      throw new MillstreamError('INVALID_OPTION', `Cannot name a side output '${id}': its id must be a string that is not empty.`);
    }
    this.id = id;
  }
}
