/** The conformance suites on everything that runs without a service: memory disk, real files, objects in memory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { ObjectCheckpointFiles } from '../checkpoint/object-checkpoint-files.js';
import type { Disk } from '../common/disk.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import { nodeDisk } from '../common/node-disk.js';
import { CHECKPOINT_FILES_CASES } from '../testing/checkpoint-files-conformance.js';
import { type FaultPlan, withFaults } from '../testing/faults.js';
import { LEASE_CASES } from '../testing/lease-conformance.js';
import { REGISTER_CASES } from '../testing/register-conformance.js';
import { fileLeaseStore } from './lease-store.js';

/** A fresh directory, and how a process opens it. */
interface Place {
  readonly directory: string;
  open(faults?: FaultPlan): CheckpointFiles;
}

const PART_BYTES = 200_000;
let temporary = '';
let places = 0;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'millstream-conformance-'));
});
afterAll(async () => {
  await rm(temporary, { recursive: true });
});

const faulty = <T extends object>(store: T, faults: FaultPlan | undefined): T => (faults === undefined ? store : withFaults(store, faults));

async function onDisk(disk: Disk, directory: string): Promise<Place> {
  await disk.makeDirectory(directory);
  return { directory, open: (faults) => new DiskCheckpointFiles(faulty(disk, faults)) };
}

const PLACES: { readonly [name: string]: () => Promise<Place> } = {
  'a memory disk': () => onDisk(new MemoryDisk(), '/place'),
  'real files': () => onDisk(nodeDisk, `${temporary}/${++places}`),
  'objects in memory': async () => {
    const store = new MemoryObjectStore();
    return {
      directory: `${store.root}/place`,
      open: (faults) => new ObjectCheckpointFiles(faulty(store, faults), { partBytes: PART_BYTES }),
    };
  },
};

describe.each(Object.entries(PLACES))('on %s', (_, newPlace) => {
  describe('a register', () => {
    it.each(REGISTER_CASES)('$name', async ({ run }) => {
      const { directory, open } = await newPlace();
      await run({ open: (writer, faults) => open(faults).register(`${directory}/job`, writer) });
    });
  });

  describe("a leader's lease", () => {
    it.each(LEASE_CASES)('$name', async ({ run }) => {
      const { directory, open } = await newPlace();
      await run({ open: (writer, faults) => fileLeaseStore(open(faults), directory, writer) });
    });
  });

  describe('files of checkpoints', () => {
    it.each(CHECKPOINT_FILES_CASES)('$name', async ({ run }) => {
      const { directory, open } = await newPlace();
      await run({ directory, partBytes: PART_BYTES, open });
    });
  });
});
