import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { createDiskError } from '../common/disk-error.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { nodeDisk } from '../common/node-disk.js';
import { seededRandom } from '../common/random.js';
import { FileSink } from './file-sink.js';
import type { FileCommittable } from './file-sink-committer.js';
import { csvEncoder, jsonLinesEncoder } from './file-sink-encoders.js';
import type { SinkWriter, SinkWriterContext } from './sink.js';

const context = (disk: Disk, part: Partial<SinkWriterContext> = {}): SinkWriterContext => ({
  subtaskIndex: 0,
  parallelism: 1,
  run: 'r1',
  attempt: 1,
  clock: systemClock,
  disk,
  restoredCommittables: [],
  ...part,
});

/** Everything in a directory by kind of name. */
async function read(disk: Disk, directory: string): Promise<{ final: Map<string, string>; pending: string[] }> {
  const final = new Map<string, string>();
  const pending: string[] = [];
  for (const name of await disk.list(directory)) {
    if (name.endsWith('.pending')) pending.push(name);
    else final.set(name, Buffer.from(await disk.readFile(`${directory}/${name}`)).toString());
  }
  return { final, pending };
}

async function openWriter<T>(sink: FileSink<T>, open: SinkWriterContext): Promise<SinkWriter<T, FileCommittable, unknown>> {
  const writer = sink.createWriter(open);
  await writer.open?.();
  return writer;
}

const numbers = (options: { maxPartBytes?: number } = {}): FileSink<number> =>
  FileSink.forRowFormat('/out', jsonLinesEncoder<number>(), options);

describe('FileSink', () => {
  it('shows parts only once they are committed, one per epoch with records', async () => {
    const disk = new MemoryDisk();
    const sink = numbers();
    const writer = await openWriter(sink, context(disk));
    for (const value of [1, 2]) writer.write(value, Number.NaN);
    const preparing = writer.prepareCommit(1);
    writer.write(3, Number.NaN);
    const first = await preparing;
    expect(await read(disk, '/out')).toEqual({ final: new Map(), pending: ['part-r1-1-0-0.jsonl.pending'] });
    const second = await writer.prepareCommit(2);
    expect(await writer.prepareCommit(3)).toEqual([]);
    const committer = sink.createCommitter(context(disk));
    await committer.commit(first);
    expect(await read(disk, '/out')).toEqual({
      final: new Map([['part-r1-1-0-0.jsonl', '1\n2\n']]),
      pending: ['part-r1-1-0-1.jsonl.pending'],
    });
    await committer.commit([...first, ...second]);
    await committer.commit([...first, ...second]);
    disk.crash();
    expect(await read(disk, '/out')).toEqual({
      final: new Map([
        ['part-r1-1-0-0.jsonl', '1\n2\n'],
        ['part-r1-1-0-1.jsonl', '3\n'],
      ]),
      pending: [],
    });
  });

  it('takes for small parts no more memory than they have bytes, and copies nothing of large ones', async () => {
    const disk = new MemoryDisk();
    const chunks: Uint8Array[] = [];
    const create = disk.create.bind(disk);
    disk.create = async (path) => {
      const writer = await create(path);
      return { write: async (chunk) => void chunks.push(chunk), sync: () => writer.sync(), close: () => writer.close() };
    };
    const writer = await openWriter(FileSink.forRowFormat('/out', jsonLinesEncoder<string>()), context(disk));
    for (const value of ['a', 'b', 'x'.repeat(300_000)]) {
      writer.write(value, Number.NaN);
      await writer.prepareCommit(1);
    }
    expect(chunks.map(({ length }) => length)).toEqual([4, 4, 300_003]);
    const memory = chunks.map(({ buffer }) => buffer.byteLength);
    expect(memory.slice(0, 2)).toEqual([4, 4]);
    expect(memory[2]).toBeGreaterThan(300_003);
  });

  it('rolls by size within an epoch, with a header in each part', async () => {
    const disk = new MemoryDisk();
    const sink = FileSink.forRowFormat('/out', csvEncoder<{ n: number }>({ columns: ['n'] }), { maxPartBytes: 6, partPrefix: 'rows' });
    const writer = await openWriter(sink, context(disk));
    for (let n = 10; n < 15; n++) writer.write({ n }, 0);
    await sink.createCommitter(context(disk)).commit(await writer.prepareCommit(1));
    expect([...(await read(disk, '/out')).final]).toEqual([
      ['rows-r1-1-0-0.csv', 'n\n10\n11\n'],
      ['rows-r1-1-0-1.csv', 'n\n12\n13\n'],
      ['rows-r1-1-0-2.csv', 'n\n14\n'],
    ]);
  });

  it('keeps no half of a record that cannot be encoded', async () => {
    const disk = new MemoryDisk();
    const sink = FileSink.forRowFormat('/out', csvEncoder<{ a: unknown; b: unknown }>({ columns: ['a', 'b'] }));
    const writer = await openWriter(sink, context(disk));
    expect(() => writer.write({ a: 1, b: new Map() }, 0)).toThrow("field 'b'");
    expect(await writer.prepareCommit(1)).toEqual([]);
    writer.write({ a: 1, b: 2 }, 0);
    expect(() => writer.write({ a: 3, b: new Map() }, 0)).toThrow("field 'b'");
    await sink.createCommitter(context(disk)).commit(await writer.prepareCommit(2));
    expect([...(await read(disk, '/out')).final.values()]).toEqual(['a,b\n1,2\n']);
  });

  it('asks to wait while the disk is behind, and reports its failure', async () => {
    const disk = new MemoryDisk();
    const sink = FileSink.forRowFormat('/out', jsonLinesEncoder<string>());
    const writer = await openWriter(sink, context(disk));
    expect(writer.ready?.()).toBeUndefined();
    const record = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 9; i++) writer.write(record, 0);
    const ready = writer.ready?.();
    expect(ready).toBeInstanceOf(Promise);
    await ready;
    expect(writer.ready?.()).toBeUndefined();
    disk.fault = (operation, path) => (operation === 'write' ? createDiskError('ENOSPC', operation, path) : undefined);
    for (let i = 0; i < 9; i++) writer.write(record, 0);
    await expect(writer.ready?.()).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(() => writer.write(record, 0)).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
    await expect(writer.prepareCommit(1)).rejects.toMatchObject({ code: 'DISK_FULL' });
  });

  it.each(['write', 'sync', 'syncDirectory'])('commits nothing after output that was lost at %s', async (failing) => {
    const disk = new MemoryDisk();
    const writer = await openWriter(numbers(), context(disk));
    writer.write(1, 0);
    disk.fault = (operation, path) => (operation === failing ? createDiskError('EIO', operation, path) : undefined);
    await expect(writer.prepareCommit(1)).rejects.toMatchObject({ code: 'SINK_WRITE_FAILED', retryable: true });
    disk.fault = undefined;
    await expect(writer.prepareCommit(2)).rejects.toMatchObject({ code: 'SINK_WRITE_FAILED' });
  });

  it('refuses to share its names', async () => {
    const disk = new MemoryDisk();
    const [first, second] = [await openWriter(numbers(), context(disk)), await openWriter(numbers(), context(disk))];
    first.write(1, 0);
    second.write(2, 0);
    await first.prepareCommit(1);
    await expect(second.prepareCommit(1)).rejects.toMatchObject({
      code: 'SINK_WRITE_FAILED',
      message: expect.stringContaining('Two sinks'),
    });
  });

  it('removes what no checkpoint can name when it is closed', async () => {
    const disk = new MemoryDisk();
    const writer = await openWriter(numbers({ maxPartBytes: 4 }), context(disk));
    for (let value = 10; value < 13; value++) writer.write(value, 0);
    const committables = await writer.prepareCommit(1);
    for (let value = 13; value < 18; value++) writer.write(value, 0);
    await writer.close();
    expect((await read(disk, '/out')).pending).toEqual(committables.map((part) => `${part.name}.pending`));
  });

  it('checks its options', () => {
    for (const options of [{ maxPartBytes: 0 }, { maxPartBytes: Number.NaN }, { partPrefix: 'a/b' }]) {
      expect(() => FileSink.forRowFormat('/out', jsonLinesEncoder(), options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    }
  });
});

describe('FileSink after a restore', () => {
  it('removes pending parts of earlier attempts of its run that no committable names, whatever the parallelism', async () => {
    const disk = new MemoryDisk();
    const sink = numbers();
    const committables: FileCommittable[] = [];
    for (let subtaskIndex = 0; subtaskIndex < 3; subtaskIndex++) {
      const writer = await openWriter(sink, context(disk, { subtaskIndex, parallelism: 3 }));
      writer.write(subtaskIndex, 0);
      committables.push(...(await writer.prepareCommit(1)));
      writer.write(subtaskIndex, 0);
      await writer.prepareCommit(2);
    }
    for (const [run, attempt] of [
      ['r1', 2],
      ['r1-1', 1],
      ['r0', 1],
    ] as const) {
      const writer = await openWriter(
        sink,
        context(disk, { run, attempt, restoredCommittables: committables, subtaskIndex: 9, parallelism: 10 }),
      );
      writer.write(9, 0);
      await writer.prepareCommit(1);
    }
    for (const subtaskIndex of [0, 1]) {
      await openWriter(sink, context(disk, { attempt: 2, subtaskIndex, parallelism: 2, restoredCommittables: committables }));
    }
    expect((await read(disk, '/out')).pending).toEqual([
      'part-r0-1-9-0.jsonl.pending',
      'part-r1-1-0-0.jsonl.pending',
      'part-r1-1-1-0.jsonl.pending',
      'part-r1-1-1-9-0.jsonl.pending',
      'part-r1-1-2-0.jsonl.pending',
      'part-r1-2-9-0.jsonl.pending',
    ]);
  });

  it('reports output that is gone or is not what the checkpoint says', async () => {
    const disk = new MemoryDisk();
    const sink = numbers();
    const writer = await openWriter(sink, context(disk));
    writer.write(1, 0);
    const committables = await writer.prepareCommit(1);
    const committer = sink.createCommitter(context(disk));
    const other = await disk.create('/out/part-r1-1-0-0.jsonl');
    await other.write(Buffer.from('2\n'));
    await expect(committer.commit(committables)).rejects.toMatchObject({
      code: 'SINK_DATA_LOSS',
      message: expect.stringContaining('other content'),
    });
    await disk.unlink('/out/part-r1-1-0-0.jsonl.pending');
    await expect(committer.commit(committables)).rejects.toMatchObject({ code: 'SINK_DATA_LOSS' });
    await disk.unlink('/out/part-r1-1-0-0.jsonl');
    await expect(committer.commit(committables)).rejects.toMatchObject({
      code: 'SINK_DATA_LOSS',
      message: expect.stringContaining('and so is'),
    });
  });
});

/** A disk that dies before its operation number `limit`, for good: what a process sees that is killed there. */
function mortal(disk: Disk, limit: number): { disk: Disk; steps: () => number } {
  let steps = 0;
  const wrap = <O extends object>(target: O): O =>
    new Proxy(target, {
      get: (object, name) => {
        const method = Reflect.get(object, name) as ((...parameters: unknown[]) => Promise<unknown>) | undefined;
        // A promise that resolves to the wrapped object asks it for `then`.
        if (typeof method !== 'function') return method;
        return async (...parameters: unknown[]) => {
          // Of a dead process the system closes what is open.
          if (name === 'close') await method.apply(object, parameters);
          if (steps++ >= limit) throw createDiskError('EIO', String(name), String(parameters[0]));
          if (name === 'close') return undefined;
          const result = await method.apply(object, parameters);
          return name === 'create' || name === 'open' ? wrap(result as object) : result;
        };
      },
    });
  return { disk: wrap(disk), steps: () => steps };
}

/** A job of one sink: 4 epochs of 3 records, its checkpoints beyond all doubt; runs until it dies or ends. */
class TinyJob {
  readonly sink: FileSink<number>;
  completed: { position: number; committables: readonly FileCommittable[] } = { position: 0, committables: [] };
  attempt = 0;

  constructor(directory: string) {
    this.sink = FileSink.forRowFormat(directory, jsonLinesEncoder<number>(), { maxPartBytes: 4 });
  }

  /** True if it came to its end. */
  async run(disk: Disk): Promise<boolean> {
    this.attempt++;
    let { position } = this.completed;
    const open = context(disk, { attempt: this.attempt, restoredCommittables: this.completed.committables });
    const writer = this.sink.createWriter(open);
    const committer = this.sink.createCommitter(open);
    try {
      await writer.open?.();
      await committer.commit(this.completed.committables);
      while (position < 12) {
        for (let i = 0; i < 3; i++) writer.write(10 + position++, 0);
        const committables = await writer.prepareCommit(position);
        this.completed = { position, committables };
        await committer.commit(committables);
      }
      await writer.close();
      return true;
    } catch {
      // A killed process closes nothing.
      return false;
    }
  }

  async result(disk: Disk, directory: string): Promise<{ rows: number[]; pending: string[] }> {
    const { final, pending } = await read(disk, directory);
    const rows = [...final.values()].flatMap((text) => text.trimEnd().split('\n')).map(Number);
    return { rows: rows.sort((a, b) => a - b), pending };
  }
}

const EXACTLY_ONCE = { rows: Array.from({ length: 12 }, (_, i) => 10 + i), pending: [] };

describe('FileSink, killed between any two disk operations', () => {
  const crashes: [string, (disk: MemoryDisk, seed: number) => void][] = [
    ['the process is killed', () => {}],
    ['power loss, nothing unsynced survives', (disk) => disk.crash()],
    ['power loss, some of it survives', (disk, seed) => disk.crash(seededRandom(seed))],
  ];

  it.each(crashes)('writes every record exactly once: %s', async (_name, crash) => {
    let limit = 0;
    for (let ended = false; !ended; limit++) {
      const disk = new MemoryDisk();
      const job = new TinyJob('/out');
      ended = await job.run(mortal(disk, limit).disk);
      crash(disk, limit);
      if (!ended || job.completed.position < 12) expect(await job.run(disk)).toBe(true);
      expect(await job.result(disk, '/out'), `killed before operation ${limit}`).toEqual(EXACTLY_ONCE);
    }
    expect(limit).toBeGreaterThan(60);
  });

  it.each(crashes)('twice, the second time during the recovery: %s', async (_name, crash) => {
    const random = seededRandom(11);
    for (let round = 0; round < 150; round++) {
      const disk = new MemoryDisk();
      const job = new TinyJob('/out');
      const limits = [random.below(70), random.below(25), random.below(25)];
      for (const limit of limits) {
        if (await job.run(mortal(disk, limit).disk)) break;
        crash(disk, round);
      }
      expect(await job.run(disk)).toBe(true);
      expect(await job.result(disk, '/out'), `killed before ${limits}`).toEqual(EXACTLY_ONCE);
    }
  });

  it('on the real disk', async () => {
    for (const limit of [3, 9, 12, 17, 18, 19, 20, 21, 22, 23, 40, 41, 42, 43, 44, 45, 1000]) {
      const directory = await mkdtemp(join(tmpdir(), 'millstream-sink-'));
      try {
        const job = new TinyJob(directory);
        if (!(await job.run(mortal(nodeDisk, limit).disk))) expect(await job.run(nodeDisk)).toBe(true);
        expect(await job.result(nodeDisk, directory), `killed before operation ${limit}`).toEqual(EXACTLY_ONCE);
      } finally {
        await rm(directory, { recursive: true });
      }
    }
  });
});
