/**
 * A register in an object store: one object, replaced on condition of the tag that was read with the version before.
 *
 *     millstream register 7\n
 *     content
 *
 * One object and not one per version: a commit is one request, a read is one request, and nothing grows. The condition gives invariants
 * 1 and 2 of register.ts also against a request that was taken for lost and arrives late: by then the tag has changed, since contents
 * have their version in them. The object is never deleted while the register is in use, so "absent" holds at most once.
 *
 * Invariants: 1. a refused write was done by us if the object holds our bytes: the answer of an earlier try was lost; 2. a store that
 * ignores conditions is found out when the first version is written, and never used.
 */
import { MillstreamError } from '../common/errors.js';
import { IF_ABSENT, type ObjectStore, type PutCondition } from '../common/object-store.js';
import type { Register, RegisterValue } from './register.js';

const HEAD = /^millstream register ([1-9]\d{0,14})\n/;
const HEAD_BYTES_MAX = 64;
/** A refusal although nothing has changed: stores may refuse one of two writes that they saw at the same time, and do neither. */
const SPURIOUS_REFUSALS_MAX = 4;

export class ObjectRegister implements Register {
  private readonly store: ObjectStore;
  private readonly key: string;
  /** What was read or written last. */
  private known: { readonly version: number; readonly tag: string } | undefined;

  constructor(store: ObjectStore, key: string) {
    this.store = store;
    this.key = key;
  }

  locationOf(): string {
    return `${this.store.root}/${this.key}`;
  }

  async read(): Promise<RegisterValue | undefined> {
    const object = await this.store.get(this.key);
    if (object === undefined) return undefined;
    const head = HEAD.exec(Buffer.from(object.content.subarray(0, HEAD_BYTES_MAX)).toString('latin1'));
    if (head === null) throw this.notARegister();
    const version = Number(head[1]);
    this.known = { version, tag: object.tag };
    return { version, content: object.content.subarray(head[0].length) };
  }

  async compareAndSet(expectedVersion: number, content: Uint8Array): Promise<boolean> {
    const version = expectedVersion + 1;
    const bytes = Buffer.concat([Buffer.from(`millstream register ${version}\n`), content]);
    const isOurs = (found: RegisterValue | undefined): boolean =>
      found?.version === version && Buffer.compare(found.content, content) === 0;
    if (expectedVersion > 0 && this.known?.version !== expectedVersion) {
      const found = await this.read();
      if (found?.version !== expectedVersion) return isOurs(found);
    }
    for (let refusals = 0; ; refusals++) {
      const condition: PutCondition = expectedVersion === 0 ? IF_ABSENT : { type: 'tag', tag: this.known?.tag as string };
      const tag = await this.store.put(this.key, bytes, condition);
      if (tag !== undefined) {
        this.known = { version, tag };
        break;
      }
      const found = await this.read();
      if (isOurs(found)) break;
      if ((found?.version ?? 0) !== expectedVersion) return false;
      if (refusals === SPURIOUS_REFUSALS_MAX) throw this.conditionsNotHeld('a write is refused although its condition holds');
    }
    if (version === 1) await this.checkConditions(bytes);
    return true;
  }

  async removeLeftovers(): Promise<void> {}

  /** Writes once more what is there, on conditions that do not hold: a store that does it ignores them. */
  private async checkConditions(bytes: Uint8Array): Promise<void> {
    const wrong: PutCondition = { type: 'tag', tag: '"00000000000000000000000000000000"' };
    for (const condition of [IF_ABSENT, wrong]) {
      if ((await this.store.put(this.key, bytes, condition)) === undefined) continue;
      throw this.conditionsNotHeld('it writes although the condition of the write does not hold');
    }
  }

  private conditionsNotHeld(found: string): MillstreamError {
    return new MillstreamError(
      'STORAGE_NOT_CONDITIONAL',
      `Cannot keep '${this.locationOf()}': the store does not keep to conditional writes (If-None-Match, If-Match): ${found}. Two processes could both believe that they have committed. Use a store that has them, or a local directory, for execution.checkpointing.dir and high-availability.storageDir.`,
      { details: { location: this.locationOf() } },
    );
  }

  private notARegister(): MillstreamError {
    return new MillstreamError(
      'CHECKPOINT_CORRUPT',
      `Cannot read '${this.locationOf()}': it does not begin as Millstream writes it. Put the object back from a copy, or choose another directory.`,
      { details: { path: this.locationOf() } },
    );
  }
}
