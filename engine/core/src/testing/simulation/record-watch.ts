/**
 * Watches what must hold at every moment, whoever fails: the job records as they are written, what slots are told, and results.
 *
 * Rules: 1. a checkpoint that is listed stays the newest or has a newer one; 2. terms and attempts never go back; 3. slots commit only
 * what is listed for good; 4. a visible result never changes.
 */
import type { JobRecord } from '../../checkpoint/job-record.js';
import { unsealJson } from '../../checkpoint/sealed-json.js';
import type { Disk } from '../../common/disk.js';
import type { DiskOperation } from '../../common/memory-disk.js';
import type { ToSlot } from '../../runtime/slot-messages.js';

const RECORD_PATH = /\/job\.\d+$/;
const CHANGES: ReadonlySet<DiskOperation> = new Set(['unlink', 'truncate', 'create']);

interface WrittenRecord {
  readonly record: JobRecord;
  readonly directory: string;
}

/** See the head of this file. */
export class RecordWatch {
  readonly violations: string[] = [];
  /** Attempts of some regions of a job, while the others went on. */
  regionRestarts = 0;
  private readonly disk: Disk;
  private readonly results: string;
  private readonly listed = new Set<number>();
  /** Those that a power loss cannot take back. */
  private readonly listedForGood = new Set<number>();
  /** By run. */
  private latest = new Map<string, WrittenRecord>();
  /** Those that a power loss cannot take back. */
  private readonly durable = new Map<string, WrittenRecord>();

  /** `disk`: the shared one, without faults. */
  constructor(disk: Disk, results: string) {
    this.disk = disk;
    this.results = results;
  }

  /** A record that was linked is in force. */
  async diskDone(operation: DiskOperation, path: string): Promise<void> {
    if (operation === 'link' && RECORD_PATH.test(path)) this.recordWritten(path, await this.disk.readFile(path));
    if (operation === 'syncDirectory') this.directorySynced(path);
    if (CHANGES.has(operation) && path.startsWith(`${this.results}/`) && !path.endsWith('.pending')) {
      this.violations.push(`the result ${path} was visible, and was changed by '${operation}'`);
    }
  }

  slotTold(host: string, message: ToSlot): void {
    if (message.type !== 'complete' || this.listedForGood.has(message.epoch)) return;
    const found = this.listed.has(message.epoch) ? 'a power loss could take back that it is listed' : 'no job record lists it';
    this.violations.push(`a slot on ${host} was told to commit epoch ${message.epoch}: ${found}`);
  }

  /** The disk has lost what was not durable. */
  powerLost(): void {
    this.latest = new Map(this.durable);
  }

  /** Attempts of all runs. */
  get attempts(): number {
    let attempts = 0;
    for (const { record } of this.latest.values()) attempts += record.attempt;
    return attempts;
  }

  /** Checkpoints that were completed. */
  get completedCheckpoints(): number {
    return this.listed.size;
  }

  private directorySynced(directory: string): void {
    for (const [run, written] of this.latest) {
      if (written.directory !== directory) continue;
      this.durable.set(run, written);
      for (const { epoch } of written.record.checkpoints) this.listedForGood.add(epoch);
    }
  }

  private recordWritten(path: string, content: Uint8Array): void {
    const unsealed = unsealJson(content);
    if (!unsealed.whole) {
      this.violations.push(`the job record ${path} is not whole`);
      return;
    }
    const { record } = unsealed.value as { readonly record: JobRecord };
    const before = this.latest.get(record.run)?.record;
    this.latest.set(record.run, { record, directory: path.slice(0, path.lastIndexOf('/')) });
    for (const { epoch } of record.checkpoints) this.listed.add(epoch);
    if (before === undefined) return;
    // What all of a job starts anew has a block of epochs of its own.
    if (record.attempt > before.attempt && record.nextEpoch === before.nextEpoch) this.regionRestarts++;
    const newest = record.checkpoints.at(-1)?.epoch ?? 0;
    const newestBefore = before.checkpoints.at(-1)?.epoch ?? 0;
    // A run that has ended needs none.
    if (newest < newestBefore && record.ended === undefined)
      this.violations.push(`${path}: its newest checkpoint is ${newest}, after ${newestBefore} was complete`);
    if (record.term < before.term) this.violations.push(`${path}: term ${record.term} follows term ${before.term}`);
    if (record.attempt < before.attempt) this.violations.push(`${path}: attempt ${record.attempt} follows attempt ${before.attempt}`);
  }
}
