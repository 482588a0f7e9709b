/**
 * Reads the first message of a socket whose other end is not known yet: with little memory, and until the caller's patience ends.
 * Whatever goes wrong comes back as one error.
 */
import type { Socket } from 'node:net';
import type { MillstreamError } from 'millstream';
import { FrameParser } from './frame.js';
import { HANDSHAKE_BYTES_MAX, strangerError } from './handshake.js';
import type { SocketChunks } from './socket-chunks.js';

/** Hears one of the two, once. */
export interface FirstFrameListener {
  /** The socket is paused. `rest`: what was read behind the message. */
  onFirstFrame(frame: Buffer, rest: Buffer): void;
  /** The socket is destroyed. The error is a typed one if the other end is no part of Millstream, else Node's. */
  onFailure(error: unknown): void;
}

/** Begins to read. */
export function readFirstFrame(socket: Socket, chunks: SocketChunks, remote: string, listener: FirstFrameListener): void {
  let failure: MillstreamError | undefined;
  let first: Buffer | undefined;
  const parser = new FrameParser(
    {
      onFrame(frame) {
        first = frame;
        parser.stop();
      },
      onGoodbye() {
        failure = strangerError(Buffer.alloc(4, 0xff), remote);
      },
      onTooLarge(_, header) {
        failure = strangerError(header, remote);
      },
    },
    HANDSHAKE_BYTES_MAX,
  );
  const onData = (chunk: Buffer): void => {
    const parsed = parser.push(chunk);
    if (failure !== undefined) {
      fail(failure);
    } else if (first !== undefined) {
      detach();
      socket.pause();
      // The chunk's memory is used again.
      listener.onFirstFrame(first, Buffer.from(chunk.subarray(parsed)));
    }
  };
  const onEnd = (): void => fail(Object.assign(new Error('The other end closed it.'), { code: 'ECONNRESET' }));
  const fail = (error: unknown): void => {
    detach();
    socket.destroy();
    listener.onFailure(error);
  };
  const detach = (): void => {
    chunks.hear(undefined);
    socket.off('end', onEnd).off('close', onEnd).off('error', fail);
  };
  // A socket without a listener for errors ends the process, and errors may come after the first message.
  socket.on('error', () => undefined);
  chunks.hear(onData);
  socket.on('end', onEnd).on('close', onEnd).on('error', fail);
}
