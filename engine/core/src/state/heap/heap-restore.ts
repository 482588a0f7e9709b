/** Restores the tables of a heap backend from chains of snapshot files: the key groups of its own range, whatever the old subtasks were. */
import { ByteReader } from '../../common/bytes.js';
import { MillstreamError } from '../../common/errors.js';
import type { KeyedSnapshotFile } from '../backend.js';
import type { KeyGroupRange } from '../key-group.js';
import { corrupt, readingFile, readSnapshotFrame, type SnapshotFrame } from './snapshot-file-reader.js';
import { BLOCK_DROPS, BLOCK_ENTRIES, BLOCK_REMOVALS, BLOCK_ROWS, type TableSpec, tableKeyOf } from './snapshot-format.js';
import { type HeapTable, requireNamespace } from './table.js';

/** Where restored rows go. */
export interface RestoreTarget {
  readonly keyGroupRange: KeyGroupRange;
  readonly maxParallelism: number;
  /** The table for what a file holds; throws `STATE_INCOMPATIBLE`. */
  tableFor(stored: TableSpec): HeapTable;
}

interface RestoredFile {
  readonly bytes: Uint8Array;
  readonly path: string;
  readonly frame: SnapshotFrame;
}

/** Restores one chain: a base and its deltas. */
export function restoreChain(target: RestoreTarget, chain: readonly KeyedSnapshotFile[]): void {
  const files = chain.map((file, index): RestoredFile => {
    const frame = readingFile(file.path, () => {
      if ((index === 0) !== (file.info.kind === 'base')) throw corrupt(`A ${file.info.kind} cannot be file ${index + 1} of a chain.`);
      return readSnapshotFrame(file);
    });
    requireMaxParallelism(target, frame, file.path);
    return { bytes: file.bytes, path: file.path, frame };
  });
  const drops = readDrops(files);
  files.forEach((file, index) => {
    const tables = file.frame.tables.map((spec) => target.tableFor(spec));
    readingFile(file.path, () => applyFile(target, file, tables, (table, namespace) => (drops.get(table)?.get(namespace) ?? 0) > index));
  });
}

function requireMaxParallelism(target: RestoreTarget, frame: SnapshotFrame, path: string): void {
  if (frame.maxParallelism === target.maxParallelism) return;
  throw new MillstreamError(
    'MAX_PARALLELISM_MISMATCH',
    `Cannot restore keyed state from "${path}" with a maximum parallelism of ${target.maxParallelism}: its keys were divided ` +
      `into ${frame.maxParallelism} groups. Set the maximum parallelism to ${frame.maxParallelism}.`,
    { details: { found: frame.maxParallelism, declared: target.maxParallelism } },
  );
}

/** By window table and namespace: the last file of the chain that dropped it. Rows of earlier files are gone. */
function readDrops(files: readonly RestoredFile[]): Map<string, Map<number, number>> {
  const drops = new Map<string, Map<number, number>>();
  files.forEach(({ bytes, path, frame }, index) => {
    for (const block of frame.blocks) {
      if (block.type !== BLOCK_DROPS) continue;
      const key = tableKeyOf(frame.tables[block.table] as TableSpec);
      const namespaces = drops.get(key) ?? new Map<number, number>();
      drops.set(key, namespaces);
      const input = new ByteReader(bytes, block.start, block.end);
      readingFile(path, () => {
        while (input.remaining > 0) namespaces.set(requireNamespace(input.f64()), index);
      });
    }
  });
  return drops;
}

/** Tells the tables how much of each key group a base has. */
function announceRows(target: RestoreTarget, frame: SnapshotFrame, tables: readonly HeapTable[]): void {
  const { start, end } = target.keyGroupRange;
  const groups = tables.map(() => new Map<number, number>());
  for (const block of frame.blocks) {
    const { firstGroup } = block;
    if (block.type !== BLOCK_ROWS || firstGroup < start || firstGroup > end) continue;
    const bytes = groups[block.table] as Map<number, number>;
    bytes.set(firstGroup, (bytes.get(firstGroup) ?? 0) + block.end - block.start);
  }
  for (const [index, table] of tables.entries())
    for (const [group, bytes] of groups[index] as Map<number, number>) table.expectRows?.(bytes, group, frame.tables[index] as TableSpec);
}

function applyFile(
  target: RestoreTarget,
  { bytes, frame }: RestoredFile,
  tables: readonly HeapTable[],
  isDropped: (table: string, namespace: number) => boolean,
): void {
  const { start, end } = target.keyGroupRange;
  if (frame.kind === 'base') announceRows(target, frame, tables);
  for (const type of [BLOCK_REMOVALS, BLOCK_ROWS, BLOCK_ENTRIES]) {
    for (const block of frame.blocks) {
      if (block.type !== type || block.lastGroup < start || block.firstGroup > end) continue;
      const table = tables[block.table] as HeapTable;
      const spec = frame.tables[block.table] as TableSpec;
      const input = new ByteReader(bytes, block.start, block.end);
      const { firstGroup, lastGroup } = block;
      const isGone = (namespace: number): boolean => isDropped(tableKeyOf(spec), namespace);
      if (type === BLOCK_ENTRIES) table.loadEntries(input, firstGroup < start || lastGroup > end, isGone);
      else if (firstGroup !== lastGroup) throw corrupt(`A block of rows is of the key groups ${firstGroup} to ${lastGroup}.`);
      else if (type === BLOCK_REMOVALS) table.unload(input, firstGroup);
      else table.load(input, firstGroup, spec, isGone);
    }
  }
}
