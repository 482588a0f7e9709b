/** Slot-sharing groups that say what each of their slots takes of its TaskManager. */
import { MillstreamError } from '../common/errors.js';
import type { SlotResources } from '../plan/plan.js';

/** Operators that run in slots of their own; made by {@link SlotSharingGroup.newBuilder}. */
export class SlotSharingGroup {
  readonly name: string;
  /** Undefined: a slot takes an even share of its TaskManager. */
  readonly resources: SlotResources | undefined;

  /** Internal: use `newBuilder`. */
  constructor(name: string, resources: SlotResources | undefined) {
    this.name = name;
    this.resources = resources;
  }

  /**
   * A group with this name.
   * @example
   * const heavy = SlotSharingGroup.newBuilder('heavy').setCpuCores(2).setTaskHeapMemoryMB(1024).build();
   * events.keyBy('key').process(() => new Model()).slotSharingGroup(heavy);
   */
  static newBuilder(name: string): SlotSharingGroupBuilder {
    return new SlotSharingGroupBuilder(name);
  }
}

/** Collects what a slot of a group takes. Cores and heap belong together: a group has both, or neither. */
export class SlotSharingGroupBuilder {
  readonly #name: string;
  #cpuCores: number | undefined;
  #heapMb: number | undefined;

  /** Internal: use `SlotSharingGroup.newBuilder`. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Cores of a TaskManager that are set aside for each slot; it is not kept from using more. */
  setCpuCores(cpuCores: number): this {
    this.#cpuCores = requirePositive(cpuCores, this.#name, 'cores');
    return this;
  }

  /** JavaScript heap of each slot, MB. A slot that needs more ends, and its job fails. */
  setTaskHeapMemoryMB(heapMb: number): this {
    this.#heapMb = requirePositive(heapMb, this.#name, 'MB of heap');
    return this;
  }

  /** Throws INVALID_OPTION unless the group has both cores and heap, or neither. */
  build(): SlotSharingGroup {
    if (this.#cpuCores === undefined && this.#heapMb === undefined) return new SlotSharingGroup(this.#name, undefined);
    if (this.#cpuCores !== undefined && this.#heapMb !== undefined) {
      return new SlotSharingGroup(this.#name, { cpuCores: this.#cpuCores, heapBytes: Math.floor(this.#heapMb * 2 ** 20) });
    }
    const missing = this.#cpuCores === undefined ? 'setCpuCores' : 'setTaskHeapMemoryMB';
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot make slot sharing group "${this.#name}": it says only half of what a slot needs. Call ${missing} too.`,
    );
  }
}

function requirePositive(value: number, name: string, unit: string): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot give slot sharing group "${name}" ${String(value)} ${unit}: it must be a number greater than 0.`,
  );
}
