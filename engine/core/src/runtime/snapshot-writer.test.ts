import { beforeEach, describe, expect, it } from 'vitest';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { EMPTY_OPERATOR_SNAPSHOT, INLINE_STATE_BYTES_MAX } from '../checkpoint/snapshot.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { SnapshotWriter, type StateFileWriter } from './snapshot-writer.js';

const state = Uint8Array.from({ length: INLINE_STATE_BYTES_MAX + 1 }, (_, at) => at);

let disk: MemoryDisk;
let storage: CheckpointStorage;
beforeEach(async () => {
  disk = new MemoryDisk();
  storage = new CheckpointStorage(new DiskCheckpointFiles(disk), '/job');
  await storage.prepare();
});

function stateFile(): StateFileWriter {
  const file = storage.createStateFile({ run: 'run', attempt: 1, operatorId: 'rules', subtaskIndex: 0, epoch: 7, part: 'state' });
  file.write(state);
  return file;
}

function writer(committables?: Promise<readonly Uint8Array[]>): SnapshotWriter {
  return new SnapshotWriter(7, [], [{ operatorId: 'rules', snapshot: EMPTY_OPERATOR_SNAPSHOT, stateFile: stateFile(), committables }]);
}

describe('operator state in a file', () => {
  it('is durable, named and counted when the snapshot is handed over', async () => {
    const { operators, writtenBytes } = await writer().finish();
    const operatorState = operators.rules?.operatorState;
    expect(writtenBytes).toBe(state.length);
    disk.crash();
    if (operatorState === undefined || !('file' in operatorState)) throw new Error('the state is not in a file');
    expect(operatorState.file.path).toMatch(/^\.\.\/shared\/run-1-.*\.state$/);
    expect(Buffer.from(await storage.readBytes(operatorState)).equals(state)).toBe(true);
    disk.corrupt(`/job/shared/${operatorState.file.path.slice('../shared/'.length)}`, 100);
    await expect(storage.readBytes(operatorState, '/job/chk-6')).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
  });

  it('is removed with a snapshot that is given up', async () => {
    const snapshot = writer(new Promise(() => {}));
    const finished = snapshot.finish();
    void finished.catch(() => undefined);
    await snapshot.abort();
    expect(await disk.list('/job/shared')).toEqual([]);
  });

  it('is removed where results are lost', async () => {
    const snapshot = writer(Promise.reject(new Error('the disk is full')));
    await expect(snapshot.finish()).rejects.toThrow('the disk is full');
    expect(snapshot.outputLost).toBe(true);
    await snapshot.abort();
    expect(await disk.list('/job/shared')).toEqual([]);
  });
});
