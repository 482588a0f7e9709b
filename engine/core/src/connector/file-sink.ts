/**
 * The exactly-once file sink. Parts roll at each barrier; they become visible, under their final name, when the checkpoint that has them
 * is complete.
 *
 *     write … │ barrier: part durable as <name>.pending, named in the checkpoint │ complete: link <name>, unlink <name>.pending
 *
 * Invariants:
 *  1. A part's name has run, attempt, subtask and counter in it: nobody else ever writes a file of this name.
 *  2. A part is durable, content and pending name, before `prepareCommit` resolves.
 *  3. A final name appears whole, at once, and is never overwritten; pending is unlinked only after the final name is durable.
 *  4. After a recovery, pending gone and final equal (length and checksum) means committed; both gone is an error, never silence.
 *  5. A restore removes only pending parts of earlier attempts of its run that no restored committable names.
 */
import { MillstreamError } from '../common/errors.js';
import { type FileCommittable, FileSinkCommitter } from './file-sink-committer.js';
import type { RowEncoder } from './file-sink-encoders.js';
import { FileSinkWriter } from './file-sink-writer.js';
import type { Sink, SinkCommitter, SinkWriter, SinkWriterContext } from './sink.js';

/** Settings of a {@link FileSink}. */
export interface FileSinkOptions {
  /** A part of this size is ended before the barrier does it, bytes. Default 128 MiB, Flink's. */
  readonly maxPartBytes?: number;
  /** The beginning of part names: tells sinks apart that write to one directory. Default: 'part'. */
  readonly partPrefix?: string;
}

/**
 * Writes records to files `part-<run>-<attempt>-<subtask>-<counter>.<extension>` in a directory, exactly once.
 * Files named `….pending` are not (or not yet) results: readers skip them.
 * @example
 * stream.sinkTo(FileSink.forRowFormat('results/delays', jsonLinesEncoder()));
 */
export class FileSink<T> implements Sink<T, FileCommittable> {
  readonly directory: string;
  readonly partPrefix: string;
  private readonly encoder: RowEncoder<T>;
  private readonly maxPartBytes: number;

  private constructor(directory: string, encoder: RowEncoder<T>, options: FileSinkOptions) {
    this.directory = directory;
    this.encoder = encoder;
    this.maxPartBytes = options.maxPartBytes ?? 128 * 1024 * 1024;
    this.partPrefix = options.partPrefix ?? 'part';
    if (!(this.maxPartBytes > 0)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot roll parts at maxPartBytes ${this.maxPartBytes}: give a positive number of bytes.`,
      );
    }
    if (!/^[A-Za-z0-9_.]+$/.test(this.partPrefix)) {
      throw new MillstreamError('INVALID_OPTION', `Cannot name parts '${this.partPrefix}-…': use letters, digits, '_' and '.' only.`);
    }
  }

  get target(): string {
    return `${this.directory}/${this.partPrefix}-*`;
  }

  /** A sink of text rows; see `jsonLinesEncoder` and `csvEncoder`. The directory is made if it is not there. */
  static forRowFormat<T>(directory: string, encoder: RowEncoder<T>, options: FileSinkOptions = {}): FileSink<T> {
    return new FileSink(directory, encoder, options);
  }

  createWriter(context: SinkWriterContext): SinkWriter<T, FileCommittable, unknown> {
    const { directory, partPrefix, encoder, maxPartBytes } = this;
    return new FileSinkWriter(context, { directory, partPrefix, encoder, maxPartBytes });
  }

  createCommitter(context: SinkWriterContext): SinkCommitter<FileCommittable> {
    return new FileSinkCommitter(context.disk);
  }
}
