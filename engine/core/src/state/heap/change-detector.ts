/**
 * Checked mode: finds values that were changed in place without `update`. This backend would keep such a change where the value is an
 * object on its heap; typed columns and other backends lose it. What a value looked like when it was handed out is compared when the
 * callback is over: at the next key, or the next barrier.
 */
import type { ClassRegistry } from '../../codec/class-registry.js';
import { writeValue } from '../../codec/row.js';
import { ByteWriter } from '../../common/bytes.js';
import { MillstreamError } from '../../common/errors.js';

interface HandedOut {
  readonly value: object;
  readonly encoded: Uint8Array;
}

function changedWithoutUpdate(state: string): MillstreamError {
  return new MillstreamError(
    'STATE_CHANGED_WITHOUT_UPDATE',
    `Cannot go on: the value of the state "${state}" was changed in place, and update was not called. ` +
      'Typed columns and other backends lose such a change: call update with the changed value.',
    { details: { state } },
  );
}

export class ChangeDetector {
  private readonly classes: ClassRegistry | undefined;
  private readonly writer = new ByteWriter();
  /** By state, for the current key. */
  private readonly values = new Map<string, HandedOut[]>();

  constructor(classes: ClassRegistry | undefined) {
    this.classes = classes;
  }

  /** A state hands out a value of the current key, or was given one that its user still has. */
  handedOut(state: string, value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    const before = this.values.get(state) ?? [];
    if (before.some((other) => other.value === value)) return;
    this.encode(value);
    this.values.set(state, [...before, { value, encoded: this.writer.toBytes() }]);
  }

  /** The state's value of the current key was set: what was handed out before may differ from it. */
  updated(state: string): void {
    this.values.delete(state);
  }

  /** What was handed out is taken back. */
  forget(): void {
    this.values.clear();
  }

  /** Throws `STATE_CHANGED_WITHOUT_UPDATE` if a value differs from what was handed out. */
  verify(): void {
    if (this.values.size === 0) return;
    const handedOut = [...this.values];
    this.values.clear();
    for (const [state, values] of handedOut) if (values.some((value) => this.isChanged(value))) throw changedWithoutUpdate(state);
  }

  private isChanged({ value, encoded }: HandedOut): boolean {
    this.encode(value);
    return !this.writer.view8().equals(encoded);
  }

  private encode(value: object): void {
    this.writer.reset();
    writeValue(this.writer, value, this.classes);
  }
}
