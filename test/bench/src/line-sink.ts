/** Writes lines; the dump sorts them. Lines wait in memory until the end, as nothing is restored here. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sink, SinkWriter, SinkWriterContext } from 'millstream/connector';

export class LineSink implements Sink<string, never, never> {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  createWriter(context: SinkWriterContext): SinkWriter<string, never, never> {
    const lines: string[] = [];
    const path = join(this.#directory, `lines-${context.subtaskIndex}.txt`);
    return {
      write: (line) => {
        lines.push(line);
      },
      prepareCommit: async () => [],
      close: () => writeFileSync(path, lines.map((line) => `${line}\n`).join('')),
    };
  }
}

/** All lines of a run that has ended, sorted by code unit. */
export function readLines(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith('lines-'))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
    .sort();
}
