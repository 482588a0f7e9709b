/**
 * A state file whose place is not known yet: a savepoint's barrier may come through a ring before the message that says where the
 * savepoint goes. Until then chunks wait in memory; `pendingBytes` counts them, so that serialising pauses when they are many.
 */
import type { StateFileWriter } from './snapshot-writer.js';

export class LateStateFile implements StateFileWriter {
  private readonly opened: Promise<StateFileWriter>;
  private file: StateFileWriter | undefined;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private aborted = false;

  /** `opened` may stay pending for ever if the savepoint is given up. */
  constructor(opened: Promise<StateFileWriter>) {
    this.opened = opened.then((file) => {
      this.file = file;
      if (!this.aborted) for (const chunk of this.waiting) file.write(chunk);
      this.waiting = [];
      this.waitingBytes = 0;
      return file;
    });
  }

  get pendingBytes(): number {
    return this.waitingBytes + (this.file?.pendingBytes ?? 0);
  }

  write(chunk: Uint8Array): void {
    if (this.file !== undefined) this.file.write(chunk);
    else {
      this.waiting.push(chunk);
      this.waitingBytes += chunk.length;
    }
  }

  async finish(): Promise<{ readonly path: string; readonly length: number; readonly crc32: number }> {
    return await (await this.opened).finish();
  }

  async abort(): Promise<void> {
    this.aborted = true;
    this.waiting = [];
    this.waitingBytes = 0;
    await this.file?.abort();
  }
}
