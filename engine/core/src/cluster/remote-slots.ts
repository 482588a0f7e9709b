/** The slots of an attempt on TaskManagers of a cluster. Whoever has leased them releases them after `kill`. */
import type { Clock } from '../common/clock.js';
import type { Entropy } from '../common/random.js';
import type { NetworkAddress } from '../common/transport.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import type { AttemptOptions } from './attempt-options.js';
import type { ArtifactModule, AttemptKey } from './control-messages.js';
import { type Placement, placeSubtasks } from './placement.js';
import type { RegisteredTaskManager } from './registered-task-manager.js';
import { slotPlanOf } from './slot-plan.js';
import type { SlotLease } from './slot-pool.js';
import type { SlotListener, SlotSet } from './slot-set.js';

/** TaskManagers bound the time of a close themselves; this is for those that do not answer. */
const CLOSE_TIMEOUT_MS = 15_000;

export interface RemoteSlotsOptions {
  readonly lease: SlotLease;
  readonly job: string;
  readonly term: number;
  readonly module: ArtifactModule;
  readonly entropy: Entropy;
  /** The attempt has its slots; `hosts`: by slot. */
  readonly onPlaced: (placement: Placement, hosts: readonly RegisteredTaskManager[]) => void;
}

/** Slots that an attempt has been given. */
export function createRemoteSlots(remote: RemoteSlotsOptions): AttemptOptions['createSlots'] {
  return (options, listener) => new RemoteSlots(remote, options, listener);
}

class RemoteSlots implements SlotSet {
  readonly placement: Placement;
  private readonly remote: RemoteSlotsOptions;
  private readonly options: AttemptOptions;
  private readonly listener: SlotListener;
  private readonly key: AttemptKey;
  private readonly token: string;
  private readonly hosts: readonly RegisteredTaskManager[];
  private readonly open = new Set<RegisteredTaskManager>();
  private readonly allClosed: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  private killed = false;

  constructor(remote: RemoteSlotsOptions, options: AttemptOptions, listener: SlotListener) {
    this.remote = remote;
    this.options = options;
    this.listener = listener;
    this.token = remote.entropy.token();
    this.placement = placeSubtasks(options.graph);
    this.key = { job: remote.job, run: options.run, attempt: options.attempt, term: remote.term };
    this.hosts = [...new Set(remote.lease.hosts)];
  }

  async start(): Promise<void> {
    const { lease } = this.remote;
    // Between the lease and now it need not have had an attempt that would have heard of it.
    const lost = this.hosts.find(({ isLost }) => isLost);
    if (lost !== undefined) throw lost.lostError();
    this.remote.onPlaced(this.placement, lease.hosts);
    for (const host of this.hosts) {
      this.open.add(host);
      host.join(this.key, {
        report: (slot, message) => this.listener.message(slot, message),
        lost: (error) => this.listener.lost(error),
        closeFailed: (error) => this.listener.closeFailed(error),
        closed: () => this.closed(host),
      });
    }
    for (const host of this.hosts) this.deploy(host);
  }

  private deploy(host: RegisteredTaskManager): void {
    const { options, placement, remote } = this;
    const { lease } = remote;
    const { url: _, ...program } = options.artifact;
    const exchanges: Record<string, NetworkAddress> = {};
    for (const { id, description } of this.hosts) exchanges[id] = description.data;
    const mine = Array.from({ length: placement.slots }, (_unused, slot) => slot).filter((slot) => lease.hosts[slot] === host);
    host.ship(remote.module);
    host.send({
      type: 'open',
      deployment: {
        key: this.key,
        token: this.token,
        artifact: { ...program, hash: remote.module.hash },
        plans: mine.map((slot) => slotPlanOf(options, placement, slot)),
        hosts: lease.hosts.map((each) => each.id),
        exchanges,
        youngGenerationMb: options.youngGenerationMb,
      },
    });
  }

  private closed(host: RegisteredTaskManager): void {
    this.open.delete(host);
    if (this.open.size === 0) this.allClosed.resolve();
  }

  send(vertexId: string, subtask: number, message: ToSlot): void {
    const slot = this.placement.slotOf(vertexId, subtask);
    this.remote.lease.hosts[slot]?.send({ type: 'slot', key: this.key, slot, message });
  }

  broadcast(message: ToSlot): void {
    for (const host of this.hosts) host.send({ type: 'broadcast', key: this.key, message });
  }

  async close(clock: Clock): Promise<void> {
    if (this.open.size === 0) return;
    const timeout = Promise.withResolvers<void>();
    const timer = clock.schedule(CLOSE_TIMEOUT_MS, timeout.resolve);
    for (const host of this.open) host.send({ type: 'close', key: this.key });
    await Promise.race([this.allClosed.promise, timeout.promise]);
    timer.cancel();
  }

  async kill(): Promise<void> {
    if (this.killed) return;
    this.killed = true;
    for (const host of this.hosts) {
      host.send({ type: 'kill', key: this.key });
      host.leave(this.key);
    }
  }

  killSlot(slot: number): void {
    this.remote.lease.hosts[slot]?.send({ type: 'killSlot', key: this.key, slot });
  }
}
