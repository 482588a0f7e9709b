/** Names that are freed: nothing is lost by it, and nobody who slept meanwhile is taken for a winner. */
import { expect, it } from 'vitest';
import { MemoryDisk } from '../common/memory-disk.js';
import { DiskRegister } from './disk-register.js';

const NEWEST = 10;
const MILESTONE = 3;
const NAMES = ['job.10', 'job.3', 'job.6', 'job.8', 'job.9'];

function open(disk: MemoryDisk, writer: string): DiskRegister {
  return new DiskRegister(disk, '/r', 'job', writer, MILESTONE);
}

async function names(disk: MemoryDisk): Promise<string[]> {
  return (await disk.list('/r')).filter((name) => name !== 'job.hint').sort();
}

/** Of ten versions; `sleepsAfter`: the registers that have seen just these. */
async function written(sleepsAfter: readonly number[] = []): Promise<{ disk: MemoryDisk; sleepers: DiskRegister[] }> {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/r');
  const sleepers: DiskRegister[] = [];
  const register = open(disk, 'w');
  for (let version = 0; version < NEWEST; version++) {
    expect(await register.compareAndSet(version, Buffer.from(`version ${version + 1}`))).toBe(true);
    if (!sleepsAfter.includes(version + 1)) continue;
    const sleeper = open(disk, `s${version}`);
    expect((await sleeper.read())?.version).toBe(version + 1);
    sleepers.push(sleeper);
  }
  return { disk, sleepers };
}

it('keeps the newest names and milestones', async () => {
  const { disk } = await written();
  expect(await names(disk)).toEqual(NAMES);
});

it.each(['', '1\n', '2\n', '3\n', '7\n', '8\n', '9\n', '10\n', '12\n', '999\n'])(
  'finds the newest version with the hint %j',
  async (hint) => {
    const { disk } = await written();
    await disk.unlink('/r/job.hint');
    if (hint !== '') {
      const writer = await disk.create('/r/job.hint');
      await writer.write(Buffer.from(hint));
      await writer.close();
    }
    const register = open(disk, 'x');
    expect((await register.read())?.version).toBe(NEWEST);
    expect(await register.compareAndSet(NEWEST, Buffer.from('next'))).toBe(true);
  },
);

it('refuses whoever slept while names were freed, and is as before', async () => {
  const seen = Array.from({ length: NEWEST - 1 }, (_, at) => at + 1);
  const { disk, sleepers } = await written(seen);
  expect(sleepers).toHaveLength(seen.length);
  for (const [at, sleeper] of sleepers.entries()) {
    expect(await sleeper.compareAndSet(seen[at] as number, Buffer.from('late')), `after version ${seen[at]}`).toBe(false);
  }
  expect(await names(disk)).toEqual(NAMES);
  for (const sleeper of sleepers) expect(String(Buffer.from((await sleeper.read())?.content ?? []))).toBe(`version ${NEWEST}`);
});
