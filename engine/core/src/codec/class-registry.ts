/**
 * Classes whose instances may be in records and in state, but not be keys: each is registered with a codec that turns an instance into a
 * plain value and back. Slots find a class again by its name, so the same registrations must run in each of them.
 */
import { MillstreamError } from '../common/errors.js';

/** How instances of a class travel, as plain values of type `P`. */
export interface ClassCodec<T, P = unknown> {
  /** A value of the record model that has everything `decode` needs. Called for each instance that is encoded, copied or checked. */
  encode(value: T): P;
  /** The instance again. `plain` belongs to the callee. */
  decode(plain: P): T;
}

/** A class with its codec and the name that stands for it in bytes. */
export interface RegisteredClass {
  readonly name: string;
  readonly codec: ClassCodec<unknown>;
}

/**
 * The classes of one job. Only exact instances are taken: a subclass needs its own registration.
 * @example
 * const registry = new ClassRegistry();
 * registry.registerClass('Money', Money, { encode: (money) => money.cents, decode: (cents) => new Money(cents) });
 */
export class ClassRegistry {
  private readonly byPrototype = new Map<object, RegisteredClass>();
  private readonly byName = new Map<string, RegisteredClass>();

  /** Throws `INVALID_OPTION` if the name or the class is taken already, or if the class is one of the record model's own. */
  registerClass<T, P>(name: string, type: abstract new (...parameters: never[]) => T, codec: ClassCodec<T, P>): void {
    const prototype = type.prototype as object;
    if (this.byName.has(name) || this.byPrototype.has(prototype)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot register class ${type.name} under the name ${JSON.stringify(name)}: the class or the name is registered already. Register each class once, under a name of its own.`,
      );
    }
    if (BUILT_IN.has(prototype)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot register class ${type.name}: its values travel without a codec. Remove the registration.`,
      );
    }
    const registered: RegisteredClass = { name, codec: codec as unknown as ClassCodec<unknown> };
    this.byName.set(name, registered);
    this.byPrototype.set(prototype, registered);
  }

  /** The registration of the class that has exactly this prototype. */
  ofPrototype(prototype: object): RegisteredClass | undefined {
    return this.byPrototype.get(prototype);
  }

  /** All names, sorted. */
  names(): string[] {
    return [...this.byName.keys()].sort();
  }

  ofName(name: string): RegisteredClass | undefined {
    return this.byName.get(name);
  }
}

const BUILT_IN: ReadonlySet<object> = new Set<object>([
  Object.prototype,
  Array.prototype,
  Date.prototype,
  Map.prototype,
  Set.prototype,
  Uint8Array.prototype,
  Buffer.prototype,
]);
