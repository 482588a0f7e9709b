/**
 * Lines at the bottom of a terminal that are drawn again and again. What the process prints meanwhile goes above them: the block is
 * taken away for each such write, and comes back with the next `draw`.
 */

/** Takes the lines of a block that is `height` lines high away; the cursor stands below it. */
const erase = (height: number): string => `\x1b[${height}A\r\x1b[0J`;
/** A line that is too long is cut at the edge, not continued on the next line, which `erase` would miss. */
const WRAP_OFF = '\x1b[?7l';
const WRAP_ON = '\x1b[?7h';

type Write = NodeJS.WriteStream['write'];

/** The block; `close` leaves the streams as they were. */
export class LiveBlock {
  readonly #stream: NodeJS.WriteStream;
  readonly #write: Write;
  readonly #originals: (readonly [NodeJS.WriteStream, Write])[];
  #height = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#write = stream.write;
    this.#originals = [process.stdout, process.stderr].filter(({ isTTY }) => isTTY).map((each) => [each, each.write]);
    for (const [each, write] of this.#originals) {
      each.write = ((...parameters: unknown[]): boolean => {
        this.clear();
        return Reflect.apply(write, each, parameters) as boolean;
      }) as Write;
    }
  }

  get columns(): number {
    return this.#stream.columns || 80;
  }

  /** Shows these lines in place of those before. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, Math.max(1, (this.#stream.rows || 24) - 1));
    const text = `${this.#height > 0 ? erase(this.#height) : ''}${WRAP_OFF}${shown.join('\n')}\n${WRAP_ON}`;
    this.#height = shown.length;
    Reflect.apply(this.#write, this.#stream, [text]);
  }

  clear(): void {
    if (this.#height === 0) return;
    const text = erase(this.#height);
    this.#height = 0;
    Reflect.apply(this.#write, this.#stream, [text]);
  }

  close(): void {
    this.clear();
    for (const [each, write] of this.#originals) each.write = write;
  }
}
