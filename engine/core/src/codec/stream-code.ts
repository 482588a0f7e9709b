/**
 * The functions that are made for a stream, once in a thread: all its channels share them, and so do later runs. They are compiled once,
 * and the records of all channels have one hidden class; with one for each channel, a consumer of more than four could not be compiled well.
 */
import { RecordConstructors } from './record-constructors.js';

/** Functions of one stream; its shapes may change for ever. */
const FUNCTIONS_MAX = 64;
const STREAMS_MAX = 256;

export class StreamCode {
  /** Of the objects that decoders make. */
  readonly constructors: RecordConstructors = new RecordConstructors();
  private readonly functions = new Map<string, unknown>();

  /** What `make` returned the first time for this key, which says all that the function depends on. */
  once<F>(key: string, make: () => F): F {
    if (!this.functions.has(key)) {
      if (this.functions.size >= FUNCTIONS_MAX) this.functions.clear();
      this.functions.set(key, make());
    }
    return this.functions.get(key) as F;
  }
}

const streams = new Map<string, StreamCode>();

/** Of the stream that has this name. */
export function streamCode(name: string): StreamCode {
  let code = streams.get(name);
  if (code === undefined) {
    code = new StreamCode();
    const [oldest] = streams.keys();
    if (streams.size >= STREAMS_MAX && oldest !== undefined) streams.delete(oldest);
    streams.set(name, code);
  }
  return code;
}
