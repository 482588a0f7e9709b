import { describe, expect, it } from 'vitest';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { withFaults } from '../testing/faults.js';
import { moduleHash } from './program-modules.js';
import { type SubmittedJob, SubmittedJobs } from './submitted-jobs.js';

const DIRECTORY = '/cluster';
const CONTENT = new TextEncoder().encode('export default 1;');

async function storage(disk: MemoryDisk = new MemoryDisk()): Promise<DiskCheckpointFiles> {
  const files = new DiskCheckpointFiles(disk);
  await files.prepareDirectory(DIRECTORY);
  return files;
}

function job(id: string, content: Uint8Array = CONTENT): SubmittedJob {
  return { id, module: moduleHash(content), argv: ['job.mjs'], options: {}, defaults: {}, from: undefined, allowNonRestoredState: false };
}

describe('the list of jobs', () => {
  it('is what the next leader finds', async () => {
    const files = await storage();
    const first = new SubmittedJobs(files, DIRECTORY, 'one');
    // At once: changes wait for each other.
    await Promise.all([first.add(job('a'), CONTENT), first.add(job('b'), CONTENT), first.add(job('c'), CONTENT)]);
    await first.remove('b');
    const second = new SubmittedJobs(files, DIRECTORY, 'two');
    expect((await second.load()).map(({ id }) => id)).toEqual(['a', 'c']);
    expect((await second.module(moduleHash(CONTENT))).content).toEqual(CONTENT);
  });

  it('has the bounds of parallelism that a job was given since', async () => {
    const files = await storage();
    const first = new SubmittedJobs(files, DIRECTORY, 'one');
    await Promise.all([first.add(job('a'), CONTENT), first.add(job('b'), CONTENT)]);
    const requirements = { vertex: { parallelism: { lowerBound: 1, upperBound: 4 } } };
    await first.require('b', requirements);
    await first.require('gone', requirements);
    const second = new SubmittedJobs(files, DIRECTORY, 'two');
    expect(await second.load()).toMatchObject([{ id: 'a' }, { id: 'b', requirements }]);
    expect((await second.load())[0]?.requirements).toBeUndefined();
    await second.require('a', requirements);
    await expect(first.require('a', {})).rejects.toThrow(/another JobManager leads now/);
  });

  it('is not changed by a leader that was deposed', async () => {
    const files = await storage();
    const deposed = new SubmittedJobs(files, DIRECTORY, 'one');
    await deposed.add(job('a'), CONTENT);
    const leader = new SubmittedJobs(files, DIRECTORY, 'two');
    await leader.load();
    await leader.remove('a');
    await expect(deposed.add(job('b'), CONTENT)).rejects.toThrow(/another JobManager leads now/);
    expect(await new SubmittedJobs(files, DIRECTORY, 'three').load()).toEqual([]);
  });

  it('is changed no more by a leader whose jobs another has taken over, though nothing has changed in it', async () => {
    const files = await storage();
    const deposed = new SubmittedJobs(files, DIRECTORY, 'one');
    await deposed.add(job('a'), CONTENT);
    const leader = new SubmittedJobs(files, DIRECTORY, 'two');
    expect((await leader.takeOver()).map(({ id }) => id)).toEqual(['a']);
    await expect(deposed.remove('a')).rejects.toThrow(/another JobManager leads now/);
    await leader.add(job('b'), CONTENT);
    expect((await new SubmittedJobs(files, DIRECTORY, 'three').load()).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('is not taken over by a leader of an earlier term', async () => {
    const files = await storage();
    const late = new SubmittedJobs(files, DIRECTORY, 'one', 1);
    const leader = new SubmittedJobs(files, DIRECTORY, 'two', 2);
    await leader.takeOver();
    await expect(late.takeOver()).rejects.toThrow(/another JobManager leads now/);
    await leader.add(job('a'), CONTENT);
    expect((await leader.load()).map(({ id }) => id)).toEqual(['a']);
  });

  it('is changed by jobs that end while it is taken over once more', async () => {
    const files = await storage();
    const jobs = new SubmittedJobs(files, DIRECTORY, 'one', 1);
    for (const id of ['a', 'b', 'c']) await jobs.add(job(id), CONTENT);
    await Promise.all([jobs.takeOver(), jobs.remove('a'), jobs.takeOver(), jobs.remove('b')]);
    await jobs.add(job('d'), CONTENT);
    expect((await new SubmittedJobs(files, DIRECTORY, 'two').load()).map(({ id }) => id)).toEqual(['c', 'd']);
  });

  it('goes on after a change whose answer was lost', async () => {
    const disk = new MemoryDisk();
    const files = await storage(disk);
    let lost = 0;
    const loseLinks = withFaults(disk, (_step, operation) => (operation === 'link' && lost++ === 0 ? 'loseAnswer' : undefined));
    const jobs = new SubmittedJobs(new DiskCheckpointFiles(loseLinks), DIRECTORY, 'one');
    await expect(jobs.add(job('a'), CONTENT)).rejects.toThrow(/answer was lost/);
    // Another change first writes what may have been written.
    await jobs.add(job('b'), CONTENT);
    await jobs.add(job('a'), CONTENT);
    expect((await new SubmittedJobs(files, DIRECTORY, 'two').load()).map(({ id }) => id).sort()).toEqual(['a', 'b']);
  });

  it('writes a program anew of which a dead leader has left the beginning only', async () => {
    const files = await storage();
    await files.replace(`${DIRECTORY}/${moduleHash(CONTENT)}.program`, CONTENT.subarray(0, 3));
    const jobs = new SubmittedJobs(files, DIRECTORY, 'one');
    await jobs.add(job('a'), CONTENT);
    expect((await jobs.module(moduleHash(CONTENT))).content).toEqual(CONTENT);
  });

  it('keeps a program as long as a job needs it, and notices one that is damaged', async () => {
    const files = await storage();
    const jobs = new SubmittedJobs(files, DIRECTORY, 'one');
    await jobs.add(job('a'), CONTENT);
    await jobs.add(job('b'), CONTENT);
    await jobs.remove('a');
    await expect(jobs.module(moduleHash(CONTENT))).resolves.toBeDefined();
    await jobs.remove('b');
    await expect(jobs.module(moduleHash(CONTENT))).rejects.toThrow(/it is gone/);
    await files.replace(`${DIRECTORY}/${moduleHash(CONTENT)}.program`, new Uint8Array([1]));
    await expect(jobs.module(moduleHash(CONTENT))).rejects.toThrow(/it is damaged/);
  });
});
