/** The slots of a failover region, all in this process. */
import type { Clock } from '../common/clock.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import type { AttemptOptions } from './attempt-options.js';
import { LocalSlots } from './local-slots.js';
import { startSlot } from './slot-handle.js';
import { allocateMachineMemory } from './slot-memory.js';
import { slotPlanOf } from './slot-plan.js';
import type { SlotListener, SlotSet, SlotSetPlan } from './slot-set.js';

/** Slots in threads of this process. */
export function createLocalSlots(options: AttemptOptions, plan: SlotSetPlan, listener: SlotListener): SlotSet {
  return new AttemptSlots(options, plan, listener);
}

class AttemptSlots implements SlotSet {
  private readonly plan: SlotSetPlan;
  private readonly options: AttemptOptions;
  private readonly slots: LocalSlots;

  constructor(options: AttemptOptions, plan: SlotSetPlan, listener: SlotListener) {
    this.options = options;
    this.plan = plan;
    const { artifact, youngGenerationMb, graph, channels } = options;
    const own = new Set(plan.region.slots);
    const { memory } = allocateMachineMemory(graph, plan.placement, (slot) => own.has(slot), channels.ring);
    this.slots = new LocalSlots({ artifact, memory, youngGenerationMb, startSlot, listener });
  }

  async start(): Promise<void> {
    this.slots.start(this.plan.region.slots.map((slot) => slotPlanOf(this.options, this.plan, slot)));
  }

  send(vertexId: string, subtask: number, message: ToSlot): void {
    this.slots.send(this.plan.placement.slotOf(vertexId, subtask), message);
  }

  broadcast(message: ToSlot): void {
    this.slots.broadcast(message);
  }

  async close(clock: Clock): Promise<void> {
    await this.slots.close(clock);
  }

  async kill(): Promise<void> {
    await this.slots.kill();
  }

  killSlot(slot: number): void {
    this.slots.killSlot(slot);
  }
}
