import { describe, expect, it } from 'vitest';
import { systemClock } from '../common/clock.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { discardingSink, type PrintTarget, printSink } from './print-sink.js';
import type { SinkWriterContext } from './sink.js';

const context = (subtaskIndex: number, parallelism: number): SinkWriterContext => ({
  subtaskIndex,
  parallelism,
  run: 'run',
  attempt: 1,
  clock: systemClock,
  disk: new MemoryDisk(),
  restoredCommittables: [],
});

class FakeTarget implements PrintTarget {
  text = '';
  hasRoom = true;
  readonly #listeners: (() => void)[] = [];

  write(text: string): boolean {
    this.text += text;
    return this.hasRoom;
  }

  once(_event: 'drain', listener: () => void): void {
    this.#listeners.push(listener);
  }

  drain(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

describe('printSink', () => {
  it.each([
    ['', 0, 1, 'x\n'],
    ['', 2, 4, '3> x\n'],
    ['late', 0, 1, 'late> x\n'],
    ['late', 2, 4, 'late:3> x\n'],
  ])('labels lines with prefix %j in subtask %i of %i', async (prefix, subtask, parallelism, expected) => {
    const target = new FakeTarget();
    const writer = printSink(prefix, target).createWriter(context(subtask, parallelism), []);
    writer.write('x', Number.NaN);
    await writer.close();
    expect(target.text).toBe(expected);
  });

  it('prints every kind of value on one line', () => {
    const target = new FakeTarget();
    const writer = printSink<unknown>('', target).createWriter(context(0, 1), []);
    const values = [{ a: [1, { b: 'c' }] }, 2n, null, undefined, new Map([['k', new Date(0)]]), ['x'.repeat(100), 'y'.repeat(100)]];
    for (const value of values) writer.write(value, Number.NaN);
    expect(writer.ready?.()).toBeUndefined();
    expect(target.text.split('\n')).toEqual([
      "{ a: [ 1, { b: 'c' } ] }",
      '2n',
      'null',
      'undefined',
      "Map(1) { 'k' => 1970-01-01T00:00:00.000Z }",
      `[ '${'x'.repeat(100)}', '${'y'.repeat(100)}' ]`,
      '',
    ]);
  });

  it('waits while the target has no room, and has written everything at a barrier', async () => {
    const target = new FakeTarget();
    target.hasRoom = false;
    const writer = printSink<number>('', target).createWriter(context(0, 1), []);
    writer.write(1, Number.NaN);
    const ready = writer.ready?.();
    expect(ready).toBeInstanceOf(Promise);
    writer.write(2, Number.NaN);
    expect(await writer.prepareCommit(1)).toEqual([]);
    expect(target.text).toBe('1\n2\n');
    target.hasRoom = true;
    target.drain();
    await ready;
    expect(writer.ready?.()).toBeUndefined();
  });
});

describe('discardingSink', () => {
  it('takes records and commits nothing', async () => {
    const writer = discardingSink<number>().createWriter(context(0, 1), []);
    writer.write(1, 2);
    expect(await writer.prepareCommit(1)).toEqual([]);
  });
});
