/** The slots of a failover region on TaskManagers of a cluster. Whoever has leased them releases them after `kill`. */
import type { Clock } from '../common/clock.js';
import type { Entropy } from '../common/random.js';
import type { NetworkAddress } from '../common/transport.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import type { AttemptOptions, CreateSlots } from './attempt-options.js';
import type { ArtifactModule, AttemptKey } from './control-messages.js';
import type { RegisteredTaskManager } from './registered-task-manager.js';
import { slotPlanOf } from './slot-plan.js';
import type { SlotLease } from './slot-pool.js';
import type { SlotListener, SlotSet, SlotSetPlan } from './slot-set.js';

/** TaskManagers bound the time of a close themselves; this is for those that do not answer. */
const CLOSE_TIMEOUT_MS = 15_000;

export interface RemoteSlotsOptions {
  readonly lease: SlotLease;
  readonly job: string;
  readonly term: number;
  readonly module: ArtifactModule;
  readonly entropy: Entropy;
  /** A region has its slots; `hosts`: by slot of the attempt. */
  readonly onPlaced: (plan: SlotSetPlan, hosts: readonly RegisteredTaskManager[]) => void;
}

/** Slots that an attempt has been given. */
export function createRemoteSlots(remote: RemoteSlotsOptions): CreateSlots {
  return (options, plan, listener) => new RemoteSlots(remote, options, plan, listener);
}

class RemoteSlots implements SlotSet {
  private readonly plan: SlotSetPlan;
  private readonly remote: RemoteSlotsOptions;
  private readonly options: AttemptOptions;
  private readonly listener: SlotListener;
  private readonly key: AttemptKey;
  private readonly token: string;
  /** By slot of the attempt. What the lease says of other regions may change. */
  private readonly hostOf: readonly RegisteredTaskManager[];
  /** Of the region. */
  private readonly hosts: readonly RegisteredTaskManager[];
  private readonly open = new Set<RegisteredTaskManager>();
  private readonly allClosed: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  private killed = false;

  constructor(remote: RemoteSlotsOptions, options: AttemptOptions, plan: SlotSetPlan, listener: SlotListener) {
    this.remote = remote;
    this.options = options;
    this.plan = plan;
    this.listener = listener;
    this.token = remote.entropy.token();
    const { region } = plan;
    this.key = { job: remote.job, run: options.run, attempt: options.attempt, region: region.index, term: remote.term };
    this.hostOf = [...remote.lease.hosts];
    this.hosts = [...new Set(region.slots.map((slot) => this.hostOf[slot] as RegisteredTaskManager))];
  }

  async start(): Promise<void> {
    // Between the lease and now it need not have had an attempt that would have heard of it.
    const lost = this.hosts.find(({ isLost }) => isLost);
    if (lost !== undefined) throw lost.lostError();
    this.remote.onPlaced(this.plan, this.hostOf);
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
    const { options, plan, remote, hostOf } = this;
    const { url: _, ...program } = options.artifact;
    const exchanges: Record<string, NetworkAddress> = {};
    for (const { id, description } of this.hosts) exchanges[id] = description.data;
    const mine = plan.region.slots.filter((slot) => hostOf[slot] === host);
    host.ship(remote.module);
    host.send({
      type: 'open',
      deployment: {
        key: this.key,
        token: this.token,
        artifact: { ...program, hash: remote.module.hash },
        plans: mine.map((slot) => slotPlanOf(options, plan, slot)),
        hosts: hostOf.map((each) => each.id),
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
    const slot = this.plan.placement.slotOf(vertexId, subtask);
    this.hostOf[slot]?.send({ type: 'slot', key: this.key, slot, message });
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
    this.hostOf[slot]?.send({ type: 'killSlot', key: this.key, slot });
  }
}
