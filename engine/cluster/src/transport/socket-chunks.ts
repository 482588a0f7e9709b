/**
 * Who hears the bytes of a socket. A socket that connects reads into memory of ours, the same again and again; for an accepted one Node
 * has no such option and makes new memory for each chunk, which V8 has to collect. So whoever receives much connects (decision 19).
 */
import type { OnReadOpts, Socket } from 'node:net';

/** Hears chunks; their bytes are valid until it returns. */
export type ChunkListener = (chunk: Buffer) => void;

/** The bytes of one socket, in chunks. */
export interface SocketChunks {
  /** Who hears them from now on; undefined: nobody, and what comes all the same is kept for the next. */
  hear(listener: ChunkListener | undefined): void;
}

/** What a socket reads into at first, and what it grows to while reads fill it. */
const FIRST_BYTES = 16 * 1024;
const MOST_BYTES = 256 * 1024;

/** Of a socket that is made with `onread`. */
export class ReusedChunks implements SocketChunks {
  readonly onread: OnReadOpts;
  private memory: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private listener: ChunkListener | undefined;
  /** TLS hands on what it has decrypted, also when the socket is paused. */
  private readonly kept: Buffer[] = [];

  constructor() {
    this.onread = { buffer: () => this.memory, callback: (count) => this.read(count) };
  }

  hear(listener: ChunkListener | undefined): void {
    this.listener = listener;
    if (listener !== undefined) for (const chunk of this.kept.splice(0)) listener(chunk);
  }

  private read(count: number): boolean {
    const { memory } = this;
    const chunk = memory.subarray(0, count);
    if (this.listener === undefined) this.kept.push(Buffer.from(chunk));
    else this.listener(chunk);
    if (count === memory.length && count < MOST_BYTES) this.memory = Buffer.allocUnsafeSlow(2 * count);
    return true;
  }
}

/** Of a socket that was accepted. It keeps what nobody hears as long as it is paused. */
export class AcceptedChunks implements SocketChunks {
  private readonly socket: Socket;
  private listener: ChunkListener | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  hear(listener: ChunkListener | undefined): void {
    if (this.listener !== undefined) this.socket.off('data', this.listener);
    this.listener = listener;
    if (listener !== undefined) this.socket.on('data', listener);
  }
}
