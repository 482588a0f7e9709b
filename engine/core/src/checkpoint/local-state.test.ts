import { describe, expect, it } from 'vitest';
import { MemoryDisk } from '../common/memory-disk.js';
import { DiskCheckpointFiles } from './disk-checkpoint-files.js';
import { LocalStateCopies } from './local-state.js';
import type { KeyedStateFile, StateFile } from './snapshot.js';
import { CheckpointStorage } from './storage.js';

const LOCAL = '/local/run';

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A store whose reads are counted, and the machine of a slot beside it. */
class Machine {
  readonly remote = new MemoryDisk();
  readonly local = new MemoryDisk();
  remoteReads = 0;
  private readonly files = new DiskCheckpointFiles(this.remote);

  constructor() {
    const read = this.files.read.bind(this.files);
    this.files.read = async (path) => {
      this.remoteReads++;
      return await read(path);
    };
  }

  async attempt(
    attempt: number,
    setting: { writes: boolean; reads: boolean; jobAttempt?: number } = { writes: true, reads: true },
  ): Promise<{ storage: CheckpointStorage; copies: LocalStateCopies }> {
    const copies = new LocalStateCopies({ disk: this.local, directory: LOCAL, run: 'run', attempt, jobAttempt: attempt, ...setting });
    await copies.prepare();
    const storage = new CheckpointStorage(this.files, '/job', copies);
    await storage.prepare();
    return { storage, copies };
  }

  async copies(): Promise<string[]> {
    return (await this.local.list(LOCAL)).map((name) => name.replace('run-', '').replace(/-operator_\w+/, ''));
  }
}

async function write(
  storage: CheckpointStorage,
  attempt: number,
  epoch: number,
  { part, subtaskIndex = 0 }: { part?: string; subtaskIndex?: number } = {},
): Promise<StateFile> {
  const id = { run: 'run', attempt, operatorId: 'operator', subtaskIndex, epoch };
  const file = storage.createStateFile(part === undefined ? id : { ...id, part });
  file.write(bytes(`state of `));
  file.write(bytes(`${epoch}`));
  return await file.finish();
}

describe('copies of state files', () => {
  it('are read instead of the store', async () => {
    const machine = new Machine();
    const { storage } = await machine.attempt(1);
    const file = await write(storage, 1, 7);
    const { storage: next } = await machine.attempt(2);
    expect(new TextDecoder().decode(await next.readStateFile(file))).toBe('state of 7');
    const [chain] = await next.readChain([file as KeyedStateFile]);
    expect(chain?.bytes).toEqual(bytes('state of 7'));
    expect(machine.remoteReads).toBe(0);
  });

  it.each([
    ['is gone', async (local: MemoryDisk, path: string) => await local.unlink(path)],
    ['is cut', async (local: MemoryDisk, path: string) => await local.truncate(path, 5)],
    [
      'has other bytes',
      async (local: MemoryDisk, path: string) => {
        const file = await local.create(path, { overwrite: true });
        await file.write(bytes('state of 8'));
        await file.close();
      },
    ],
  ])('are not used where one %s', async (_name, damage) => {
    const machine = new Machine();
    const { storage } = await machine.attempt(1);
    const file = await write(storage, 1, 7);
    await damage(machine.local, `${LOCAL}/${file.path.slice('../shared/'.length)}`);
    expect(new TextDecoder().decode(await storage.readStateFile(file))).toBe('state of 7');
    expect(machine.remoteReads).toBe(1);
  });

  it('are made and read only as the job says, and only of keyed state', async () => {
    const machine = new Machine();
    const { storage: silent } = await machine.attempt(1, { writes: false, reads: true });
    await write(silent, 1, 1);
    expect(await machine.copies()).toEqual([]);
    const { storage: blind } = await machine.attempt(2, { writes: true, reads: false });
    const file = await write(blind, 2, 2);
    await write(blind, 2, 2, { part: 'operator' });
    expect(await machine.copies()).toEqual(['2-0-2.keyed']);
    await blind.readStateFile(file);
    expect(machine.remoteReads).toBe(1);
  });

  it('are kept as long as the last complete checkpoint or a later one needs them', async () => {
    const machine = new Machine();
    const { storage: first } = await machine.attempt(1);
    await write(first, 1, 1);
    const { storage, copies } = await machine.attempt(2);
    const base = await write(storage, 2, 2);
    const declined = await write(storage, 2, 3);
    const delta = await write(storage, 2, 4);
    await write(storage, 2, 5);
    expect(await machine.copies()).toEqual(['1-0-1.keyed', '2-0-2.keyed', '2-0-3.keyed', '2-0-4.keyed', '2-0-5.keyed']);
    await copies.completed(4, [base, delta]);
    expect(declined.path).toContain('-3.keyed');
    expect(await machine.copies()).toEqual(['2-0-2.keyed', '2-0-4.keyed', '2-0-5.keyed']);
  });

  it('of regions that go on stay when another one restarts', async () => {
    const machine = new Machine();
    const { storage: before } = await machine.attempt(1);
    await write(before, 1, 1);
    const { storage: all } = await machine.attempt(2);
    await write(all, 2, 2);
    await write(all, 2, 2, { subtaskIndex: 1 });
    const { storage, copies } = await machine.attempt(3, { writes: true, reads: true, jobAttempt: 2 });
    const file = await write(storage, 3, 3);
    await copies.completed(3, [file]);
    expect(await machine.copies()).toEqual(['2-1-2.keyed', '3-0-3.keyed']);
  });

  it('that cannot be written change nothing', async () => {
    const machine = new Machine();
    const { storage, copies } = await machine.attempt(1);
    machine.local.create = async () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    const file = await write(storage, 1, 1);
    const given = storage.createStateFile({ run: 'run', attempt: 1, operatorId: 'operator', subtaskIndex: 0, epoch: 2 });
    given.write(bytes('x'));
    await given.abort();
    expect(given.pendingBytes).toBe(0);
    await copies.completed(1, [file]);
    expect(new TextDecoder().decode(await storage.readStateFile(file))).toBe('state of 1');
  });
});
