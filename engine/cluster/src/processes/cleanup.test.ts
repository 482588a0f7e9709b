import { expect, it } from 'vitest';
import { Cleanup } from './cleanup.js';

it('undoes the last first, all of it, and tells the first error', async () => {
  const done: string[] = [];
  const cleanup = new Cleanup();
  cleanup.add(() => void done.push('socket'));
  cleanup.add(async () => {
    done.push('file');
    throw new Error('the file');
  });
  cleanup.add(() => {
    throw new Error('the server');
  });
  await expect(cleanup.run()).rejects.toThrow('the server');
  expect(done).toEqual(['file', 'socket']);
  await cleanup.run();
  expect(done).toEqual(['file', 'socket']);
});

it('undoes what a start that failed has done, and tells why it failed', async () => {
  const done: string[] = [];
  const start = Cleanup.guard(async (cleanup) => {
    cleanup.add(() => void done.push('undone'));
    cleanup.add(() => Promise.reject(new Error('of the cleanup')));
    throw new Error('of the start');
  });
  await expect(start).rejects.toThrow('of the start');
  expect(done).toEqual(['undone']);
});
