/** A file whose place is still being opened: takes chunks at once, and hands them on when it can be created. */
import type { DurableFileInfo } from '../common/durable-file.js';
import type { CheckpointFileWriter } from './checkpoint-files.js';

export class DeferredFile implements CheckpointFileWriter {
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private file: CheckpointFileWriter | undefined;
  /** Undefined: it cannot be created. */
  private readonly created: Promise<CheckpointFileWriter | undefined>;
  private failure: unknown;

  constructor(creating: Promise<CheckpointFileWriter>) {
    this.created = creating.then(
      (file) => {
        this.file = file;
        for (const chunk of this.waiting) file.write(chunk);
        this.forget();
        return file;
      },
      (error: unknown) => {
        this.failure = error;
        this.forget();
        return undefined;
      },
    );
  }

  get pendingBytes(): number {
    return this.waitingBytes + (this.file?.pendingBytes ?? 0);
  }

  write(chunk: Uint8Array): void {
    if (this.file !== undefined) {
      this.file.write(chunk);
    } else if (this.failure === undefined) {
      this.waiting.push(chunk);
      this.waitingBytes += chunk.length;
    }
  }

  async finish(): Promise<DurableFileInfo> {
    const file = await this.created;
    if (file === undefined) throw this.failure;
    return await file.finish();
  }

  async abort(): Promise<void> {
    await (await this.created)?.abort();
  }

  private forget(): void {
    this.waiting = [];
    this.waitingBytes = 0;
  }
}
