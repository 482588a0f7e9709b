import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MillstreamError } from '../common/errors.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { runInterrupted, SourceRig } from '../testing/source-rig.js';
import { csv } from './csv.js';
import { FileSource, findFiles } from './file-source.js';
import { jsonLines } from './json-lines.js';
import { isMalformedRecord } from './record-format.js';

async function diskWith(files: Record<string, string | Uint8Array>): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  for (const [path, content] of Object.entries(files)) {
    await disk.makeDirectory(path.slice(0, path.lastIndexOf('/')) || '/');
    const writer = await disk.create(path);
    await writer.write(Buffer.from(content));
    await writer.close();
  }
  return disk;
}

async function codeOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof MillstreamError)) throw new Error(`Expected a MillstreamError, got ${String(error)}`);
  return `${error.code}: ${error.message}`;
}

describe('FileSource', () => {
  it('reads JSON lines, however the bytes are cut into chunks', async () => {
    const lines = ['{"a":"é€😀"}', '', '{"a":2}\r', '[3]', '4'];
    const disk = await diskWith({ '/in/f.jsonl': `\ufeff${lines.join('\n')}` });
    for (const chunkBytes of [1, 2, 3, 7, 1000]) {
      const source = FileSource.forRecordFormat(jsonLines(), '/in/f.jsonl', { chunkBytes });
      const rig = await SourceRig.start(source, { disk });
      expect(await rig.drain(2)).toEqual([{ a: 'é€😀' }, { a: 2 }, [3], 4]);
      expect(rig.finishedSplits).toEqual(['0:/in/f.jsonl']);
    }
  });

  it('shares files among subtasks and ends empty ones', async () => {
    const disk = await diskWith({
      '/in/a': '1\n2\n',
      '/in/b': '',
      '/in/c': '3\n',
      '/in/sub/d': '4',
      '/in/_hidden': 'x',
      '/in/.hidden': 'x',
      '/in/part.pending': 'x',
    });
    const rig = await SourceRig.start(FileSource.forRecordFormat(jsonLines<number>(), ['/in/']), { disk, parallelism: 2 });
    expect((await rig.drain()).sort()).toEqual([1, 2, 3, 4]);
    expect(rig.finishedSplits).toHaveLength(4);
    expect(new Set(rig.records.map(({ subtask }) => subtask))).toEqual(new Set([0, 1]));
    expect(await findFiles(disk, ['/in', '/in/a'])).toEqual(['/in/a', '/in/b', '/in/c', '/in/sub/d', '/in/a']);
  });

  it('emits the end marker after the last record of each file', async () => {
    const disk = await diskWith({ '/in/a': '1\n2\n', '/in/b': '' });
    const source = FileSource.forRecordFormat(jsonLines<number | string>(), ['/in/a', '/in/b'], { endOfFile: (file) => `end of ${file}` });
    for (const limit of [1, 2, 3]) {
      const rig = await SourceRig.start(source, { disk });
      expect(await rig.drain(limit)).toEqual([1, 2, 'end of /in/a', 'end of /in/b']);
    }
  });

  it('loses and repeats nothing when interrupted anywhere and resumed at another parallelism', async () => {
    const stop = fc.record({ polls: fc.nat(5), parallelism: fc.integer({ min: 1, max: 4 }), limit: fc.integer({ min: 1, max: 5 }) });
    const rows = fc.array(fc.array(fc.constantFrom('plain', 'with, comma', 'two\nlines', 'é'), { maxLength: 9 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(rows, fc.array(stop, { maxLength: 4 }), fc.integer({ min: 1, max: 40 }), async (files, stops, chunkBytes) => {
        const contents = files.map((values, file) => ['name,id', ...values.map((value, id) => `"${value}",${file}-${id}`)].join('\n'));
        const disk = await diskWith(Object.fromEntries(contents.map((content, file) => [`/in/${file}.csv`, content])));
        const paths = contents.map((_, file) => `/in/${file}.csv`);
        const source = FileSource.forRecordFormat(csv(), paths, { chunkBytes, endOfFile: (file) => ({ name: 'end', id: file }) });
        const expected = files.flatMap((values, file) => [
          ...values.map((name, id) => `${file}-${id}:${name}`),
          ...[`/in/${file}.csv:end`],
        ]);
        const found = await runInterrupted(source, stops, { disk });
        expect(found.map(({ id, name }) => `${id}:${name}`).sort()).toEqual(expected.sort());
      }),
      { numRuns: 150, seed: 4 },
    );
  });

  it('refuses a header that is not there', async () => {
    const disk = await diskWith({ '/f': '"a,b\n1,2\n' });
    const rig = await SourceRig.start(FileSource.forRecordFormat(csv(), '/f', { malformed: 'skip' }), { disk });
    expect(await codeOf(rig.drain())).toMatch(/^MALFORMED_RECORD: Cannot read the header at \/f:1: .*no closing quote/);
  });
});

describe('malformed records', () => {
  const text = '"n","s"\n1,"a\nb"\nx,y\n3,"z"\n4\n';
  const format = csv({ columns: { n: 'integer', s: 'string' } });

  it('fail the job by default, with file and line, without their content', async () => {
    const rig = await SourceRig.start(FileSource.forRecordFormat(format, '/f'), { disk: await diskWith({ '/f': text }) });
    const error = await codeOf(rig.drain());
    expect(error).toMatch(/^MALFORMED_RECORD: Cannot read the record at \/f:4: The field "n" is not an integer\./);
  });

  it('are skipped and reported by option', async () => {
    const rig = await SourceRig.start(FileSource.forRecordFormat(format, '/f', { malformed: 'skip' }), {
      disk: await diskWith({ '/f': text }),
    });
    expect(await rig.drain()).toEqual([
      { n: 1, s: 'a\nb' },
      { n: 3, s: 'z' },
    ]);
    expect(rig.reported).toEqual(['/f:4', '/f:6']);
  });

  it('become records of their own by option', async () => {
    const source = FileSource.forRecordFormat(format, '/f', { malformed: 'report' });
    const rig = await SourceRig.start(source, { disk: await diskWith({ '/f': text }) });
    const values = await rig.drain();
    expect(values.filter(isMalformedRecord)).toEqual([
      { malformed: true, file: '/f', line: 4, text: 'x,y', message: 'The field "n" is not an integer' },
      { malformed: true, file: '/f', line: 6, text: '4', message: 'The record has 1 fields where 2 are expected' },
    ]);
    expect(values.filter((value) => !isMalformedRecord(value))).toHaveLength(2);
  });

  it('include JSON that is none, values that validate refuses, and text that is not UTF-8', async () => {
    const validate = (value: unknown): number => {
      if (typeof value !== 'number') throw new TypeError('not a number');
      return value;
    };
    const content = Buffer.concat([Buffer.from('1\n{\n"x"\n"\ufffd"\n'), Buffer.from([0x22, 0xff, 0x22, 0x0a]), Buffer.from('2')]);
    const source = FileSource.forRecordFormat(jsonLines({ validate }), '/f', { malformed: 'report' });
    const rig = await SourceRig.start(source, { disk: await diskWith({ '/f': content }) });
    const messages = (await rig.drain()).map((value) => (isMalformedRecord(value) ? `${value.line}: ${value.message}` : value));
    expect(messages).toEqual([
      1,
      '2: The line is not valid JSON',
      '3: The value was refused: not a number',
      '4: The value was refused: not a number',
      '5: The text is not valid UTF-8',
      2,
    ]);
  });

  it('include records that are too long', async () => {
    const disk = await diskWith({ '/f': `a\n"${'x'.repeat(5000)}` });
    const rig = await SourceRig.start(FileSource.forRecordFormat(csv(), '/f', { recordBytesMax: 1000, chunkBytes: 100 }), { disk });
    expect(await codeOf(rig.drain())).toMatch(/^MALFORMED_RECORD: .*\/f:2: it is longer than recordBytesMax \(1000\)/);
  });
});

describe('input that cannot be read', () => {
  it('is refused with its path', async () => {
    const start = SourceRig.start(FileSource.forRecordFormat(jsonLines(), '/missing'), { disk: new MemoryDisk() });
    expect(await codeOf(start)).toMatch(/^INPUT_UNREADABLE: Cannot read the input "\/missing"/);
  });

  it('is refused when it has become shorter since a checkpoint', async () => {
    const source = FileSource.forRecordFormat(jsonLines(), '/f', { chunkBytes: 2 });
    const rig = await SourceRig.start(source, { disk: await diskWith({ '/f': '1\n2\n3\n' }) });
    await rig.pollAvailable(0, 1);
    const again = await SourceRig.start(source, { disk: await diskWith({ '/f': '1\n2' }), restored: rig.snapshot() });
    expect(await codeOf(again.drain())).toMatch(/^INPUT_CHANGED: Cannot read "\/f" on from byte 3: it had 6 bytes/);
  });

  it('is an impossible option', () => {
    expect(() => FileSource.forRecordFormat(jsonLines(), '/f', { malformed: 'drop' as never })).toThrow(/malformed "drop"/);
    expect(() => FileSource.forRecordFormat(jsonLines(), '/f', { chunkBytes: 0 })).toThrow(/chunkBytes 0/);
  });
});
