/** The slots of an attempt, all in this process. */
import type { Clock } from '../common/clock.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import type { AttemptOptions } from './attempt-options.js';
import { LocalSlots } from './local-slots.js';
import { type Placement, placeSubtasks } from './placement.js';
import { startSlot } from './slot-handle.js';
import { allocateMachineMemory } from './slot-memory.js';
import { slotPlanOf } from './slot-plan.js';
import type { SlotListener, SlotSet } from './slot-set.js';

/** Slots in threads of this process. */
export function createLocalSlots(options: AttemptOptions, listener: SlotListener): SlotSet {
  return new AttemptSlots(options, listener);
}

class AttemptSlots implements SlotSet {
  readonly placement: Placement;
  private readonly options: AttemptOptions;
  private readonly slots: LocalSlots;

  constructor(options: AttemptOptions, listener: SlotListener) {
    this.options = options;
    this.placement = placeSubtasks(options.graph);
    const { artifact, youngGenerationMb, graph, channels } = options;
    const { memory } = allocateMachineMemory(graph, this.placement, () => true, channels.ring);
    this.slots = new LocalSlots({ artifact, memory, youngGenerationMb, startSlot, listener });
  }

  async start(): Promise<void> {
    this.slots.start(Array.from({ length: this.placement.slots }, (_, slot) => slotPlanOf(this.options, this.placement, slot)));
  }

  send(vertexId: string, subtask: number, message: ToSlot): void {
    this.slots.send(this.placement.slotOf(vertexId, subtask), message);
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
