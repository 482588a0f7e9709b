/** Memory that a socket reads into again and again, and sockets of both kinds. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { AcceptedChunks, ReusedChunks, type SocketChunks } from './socket-chunks.js';

/** As Node does: fills what it is given, and asks anew after each read. */
function reader({ onread }: ReusedChunks): { readonly read: (text: string) => void; readonly memory: () => Uint8Array } {
  const next = onread.buffer as () => Uint8Array;
  let memory = next();
  return {
    memory: () => memory,
    read: (text) => {
      const bytes = Buffer.from(text);
      memory.set(bytes);
      expect(onread.callback(bytes.length, memory)).toBe(true);
      memory = next();
    },
  };
}

describe('chunks of a socket that connects', () => {
  it('come from the same memory, which grows while reads fill it', () => {
    const chunks = new ReusedChunks();
    const { read, memory } = reader(chunks);
    const heard: string[] = [];
    chunks.hear((chunk) => heard.push(chunk.toString()));
    const first = memory();
    read('one');
    read('two');
    expect([heard, memory()]).toEqual([['one', 'two'], first]);
    const sizes: number[] = [];
    for (let i = 0; i < 8; i++) {
      sizes.push(memory().length);
      read('x'.repeat(memory().length));
    }
    expect(sizes.map((size) => size / 1024)).toEqual([16, 32, 64, 128, 256, 256, 256, 256]);
  });

  it('that nobody hears are kept for the next', () => {
    const chunks = new ReusedChunks();
    const { read } = reader(chunks);
    const heard: string[] = [];
    chunks.hear((chunk) => heard.push(`first ${chunk}`));
    read('a');
    chunks.hear(undefined);
    read('b');
    read('c');
    chunks.hear((chunk) => heard.push(`then ${chunk}`));
    read('d');
    expect(heard).toEqual(['first a', 'then b', 'then c', 'then d']);
  });
});

describe('chunks of real sockets', () => {
  it('are the bytes that were sent, also where they are heard late', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const chunks = new ReusedChunks();
    const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', onread: chunks.onread });
    const [far] = (await once(server, 'connection')) as [Socket];
    const sent = Buffer.alloc(3_000_000, 'abcdefg');
    const ends: readonly (readonly [Socket, Socket, SocketChunks])[] = [
      [far, near, chunks],
      [near, far, new AcceptedChunks(far)],
    ];
    for (const [writer, socket, source] of ends) {
      socket.pause();
      writer.write(sent);
      await new Promise((resolve) => setImmediate(resolve));
      const heard: Buffer[] = [];
      await new Promise<void>((resolve) => {
        source.hear((chunk) => {
          heard.push(Buffer.from(chunk));
          if (heard.reduce((sum, { length }) => sum + length, 0) >= sent.length) resolve();
        });
        socket.resume();
      });
      expect(Buffer.concat(heard).equals(sent)).toBe(true);
    }
    near.destroy();
    far.destroy();
    server.close();
  });
});
