import { afterEach, describe, expect, it } from 'vitest';
import { LiveBlock } from './live-block.js';

/** A terminal of 80 columns that knows just what the block uses. */
class Screen {
  readonly isTTY = true;
  readonly columns = 80;
  readonly rows: number;
  lines: string[] = [''];

  constructor(rows = 24) {
    this.rows = rows;
  }

  readonly write = (text: string): boolean => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what terminals are told with.
    for (const part of text.split(/(\x1b\[\d+A\r\x1b\[0J|\x1b\[\?7[lh]|\n)/)) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
      const up = /^\x1b\[(\d+)A/.exec(part)?.[1];
      if (up !== undefined) this.lines = [...this.lines.slice(0, this.lines.length - 1 - Number(up)), ''];
      else if (part === '\n') this.lines.push('');
      else if (!part.startsWith('\x1b')) this.lines[this.lines.length - 1] += part;
    }
    return true;
  };

  get stream(): NodeJS.WriteStream {
    return this as unknown as NodeJS.WriteStream;
  }
}

let block: LiveBlock | undefined;
afterEach(() => block?.close());

describe('LiveBlock', () => {
  it('replaces its lines, and takes them away at the end', () => {
    const screen = new Screen();
    screen.write('output\n');
    block = new LiveBlock(screen.stream);
    block.draw(['one', 'two', 'three']);
    expect(screen.lines).toEqual(['output', 'one', 'two', 'three', '']);
    block.draw(['four']);
    expect(screen.lines).toEqual(['output', 'four', '']);
    block.close();
    expect(screen.lines).toEqual(['output', '']);
    block.close();
    expect(screen.lines).toEqual(['output', '']);
  });

  it('draws no more than the screen holds', () => {
    const screen = new Screen(4);
    block = new LiveBlock(screen.stream);
    block.draw(['one', 'two', 'three', 'four', 'five']);
    expect(screen.lines).toEqual(['one', 'two', 'three', '']);
  });

  it('makes way for what the process prints, and leaves its streams alone afterwards', () => {
    const screen = new Screen();
    const { stdout } = process;
    const before = { write: stdout.write, isTTY: stdout.isTTY };
    const write = screen.write as typeof stdout.write;
    Object.assign(stdout, { write, isTTY: true });
    try {
      block = new LiveBlock(screen.stream);
      block.draw(['table']);
      stdout.write('result\n');
      expect(screen.lines).toEqual(['result', '']);
      block.draw(['table']);
      expect(screen.lines).toEqual(['result', 'table', '']);
      block.close();
      expect(stdout.write).toBe(write);
    } finally {
      Object.assign(stdout, before);
    }
  });
});
