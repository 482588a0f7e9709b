/** What a TaskManager runs of a region in one attempt: slots here, and the exchange with those elsewhere. */
import type { Clock } from '../common/clock.js';
import type { NetworkAddress } from '../common/transport.js';
import type { ExchangeDeployment } from '../network/exchange.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import type { AttemptDeployment, AttemptKey } from './control-messages.js';
import { LocalSlots, type LocalSlotsOptions } from './local-slots.js';
import { placeSubtasks } from './placement.js';
import { allocateMachineMemory } from './slot-memory.js';
import type { SlotListener } from './slot-set.js';

/** An attempt's channels that cross machines, and the words by which slots say that there is something to relay. */
export interface ExchangeRequest extends ExchangeDeployment {
  /** Slots notify wakeWords[relayIndex]. */
  readonly wakeWords: Int32Array;
  readonly relayIndex: number;
}

/** Carries channels to and from other TaskManagers; see relaying-exchange.ts. */
export interface AttemptExchange {
  open(request: ExchangeRequest): { close(): void };
}

export interface AttemptShareOptions {
  readonly deployment: AttemptDeployment;
  /** Of the program's module. */
  readonly url: string;
  readonly clock: Clock;
  readonly startSlot: LocalSlotsOptions['startSlot'];
  readonly exchange: AttemptExchange;
  readonly listener: SlotListener;
  /** Of slots that do not say it themselves. Default: Node's. */
  readonly slotHeapBytes?: number | undefined;
  /** Where copies of a run's state files lie. Default: nowhere. */
  readonly localStateDirectory?: ((run: string) => string) | undefined;
}

export class AttemptShare {
  readonly key: AttemptKey;
  private readonly options: AttemptShareOptions;
  private readonly slots: LocalSlots;
  private readonly connections: { close(): void };

  constructor(options: AttemptShareOptions) {
    const { deployment, url, startSlot, listener } = options;
    const { key, plans, hosts, artifact } = deployment;
    this.options = options;
    this.key = key;
    const [first] = plans;
    if (first === undefined) throw new RangeError('An attempt without slots for this TaskManager');
    const placement = placeSubtasks(first.graph);
    const here = new Set(plans.map(({ slot }) => slot));
    const machine = allocateMachineMemory(first.graph, placement, (slot) => here.has(slot), first.channels.ring);
    const wakeWords = new Int32Array(machine.memory.wakeWords);
    const wakeSlot = (slot: number) => (): void => {
      const index = machine.memory.wakeIndexes[slot] as number;
      Atomics.add(wakeWords, index, 1);
      Atomics.notify(wakeWords, index);
    };
    const { hash: _, ...program } = artifact;
    this.slots = new LocalSlots({
      artifact: { ...program, url },
      memory: machine.memory,
      youngGenerationMb: deployment.youngGenerationMb,
      heapBytes: options.slotHeapBytes,
      localStateDirectory: options.localStateDirectory?.(key.run),
      startSlot,
      listener,
    });
    const far = (slot: number): { taskManager: string; address: NetworkAddress } => {
      const host = hosts[slot] as string;
      return { taskManager: host, address: deployment.exchanges[host] as NetworkAddress };
    };
    this.connections = options.exchange.open({
      attempt: key,
      token: deployment.token,
      layout: first.channels.ring,
      outgoing: machine.outgoing.map(({ name, ring, from, to }) => ({ name, ring, ...far(to), wake: wakeSlot(from) })),
      incoming: machine.incoming.map(({ name, ring, from, to }) => ({ name, ring, ...far(from), wake: wakeSlot(to) })),
      wakeWords,
      relayIndex: machine.relayIndex,
      onFailure: (error) => listener.lost(error),
    });
  }

  start(): void {
    this.slots.start(this.options.deployment.plans);
  }

  send(slot: number, message: ToSlot): void {
    this.slots.send(slot, message);
  }

  broadcast(message: ToSlot): void {
    this.slots.broadcast(message);
  }

  killSlot(slot: number): void {
    this.slots.killSlot(slot);
  }

  async close(): Promise<void> {
    await this.slots.close(this.options.clock);
  }

  async kill(): Promise<void> {
    this.connections.close();
    await this.slots.kill();
  }
}
