/**
 * A slot in a simulated process: the same runner and the same messages as in a thread, which here are events on virtual time.
 * Invariants: 1. messages arrive in order, copied; 2. after a kill nothing of the slot happens any more, and nothing of it arrives.
 */
import type { SlotHandle, SlotHandleOptions } from '../../cluster/slot-handle.js';
import { evaluateArtifact, type LoadProgram } from '../../runtime/program-artifact.js';
import type { FromSlot, ToSlot } from '../../runtime/slot-messages.js';
import { type DrivenSlot, SlotRunner } from '../../runtime/slot-runner.js';
import type { ProcessClock } from './process-clock.js';
import type { SimulatedProcess } from './simulated-process.js';
import { WokenLoop } from './woken-loop.js';

/** Between threads of a process, ms. */
const MESSAGE_MS = { least: 0.02, most: 0.5 };
/** A thread starts, and evaluates the program. */
const EVALUATION_MS = { least: 1, most: 30 };
/** A slot that has nothing to do rests at least as long. */
const IDLE_MS = 0.5;
/** What a question for the time stands for: the work between two of them. */
const QUESTION_MS = { least: 0.02, most: 0.4 };

/** Starts slots in the process. */
export function slotStarter(process: SimulatedProcess, load: LoadProgram): (options: SlotHandleOptions) => SlotHandle {
  return (options) => new SimulatedSlot(process, load, options);
}

class SimulatedSlot implements SlotHandle {
  private readonly process: SimulatedProcess;
  private readonly options: SlotHandleOptions;
  private readonly clock: ProcessClock;
  private readonly runner: SlotRunner;
  private readonly toSlot: Lane<ToSlot>;
  private readonly fromSlot: Lane<FromSlot>;

  constructor(process: SimulatedProcess, load: LoadProgram, options: SlotHandleOptions) {
    this.process = process;
    this.options = options;
    this.clock = process.clock.thread(process.between(QUESTION_MS.least, QUESTION_MS.most));
    this.toSlot = new Lane(process, this.clock, (message) => this.handle(message));
    this.fromSlot = new Lane(process, process.clock, (message) => {
      if (!this.clock.isDead) options.onMessage(message);
    });
    this.runner = new SlotRunner(options.artifact, {
      clock: this.clock,
      disk: process.diskOf(this.clock),
      entropy: process.entropy,
      storage: undefined,
      send: (message) => this.report(message),
      evaluate: async (artifact) => {
        await this.clock.sleep(process.between(EVALUATION_MS.least, EVALUATION_MS.most));
        return await evaluateArtifact(artifact, load);
      },
      drive: (slot) => this.drive(slot),
    });
  }

  send(message: ToSlot): void {
    this.toSlot.put(message);
  }

  async kill(): Promise<void> {
    this.clock.kill();
    await this.process.clock.sleep(this.process.between(0.1, 3));
  }

  private handle(message: ToSlot): void {
    this.process.milestone(`slot ${message.type}`, `${this.options.slot} ${describe(message)}`);
    this.process.world.records.slotTold(this.process.name, message);
    this.runner.handle(message).catch((error: unknown) => this.runner.fail(error));
  }

  private report(message: FromSlot): void {
    if (message.type === 'metrics') this.process.world.trace.event('slot metrics', this.process.name, `${this.options.slot}`);
    else this.process.milestone(`slot ${message.type}`, `${this.options.slot} ${describe(message)}`);
    this.fromSlot.put(message);
  }

  private async drive(slot: DrivenSlot): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const step = (): number | undefined => {
      const ran = slot.isStopped ? false : this.turn(slot);
      if (!slot.isStopped) {
        slot.report();
        return ran ? 0 : Math.max(IDLE_MS, slot.nextTurnIn());
      }
      resolve();
      return undefined;
    };
    new WokenLoop({ process: this.process, clock: this.clock, words: slot.words, index: slot.index, step });
    await promise;
  }

  /** What escapes a turn fails the slot, as in a thread. */
  private turn(slot: DrivenSlot): boolean {
    try {
      return slot.turn();
    } catch (error) {
      this.runner.fail(error);
      return false;
    }
  }
}

/** Messages in one direction between two threads: in order, each after some time. */
class Lane<M> {
  private readonly process: SimulatedProcess;
  private readonly clock: ProcessClock;
  private readonly arrive: (message: M) => void;
  private readonly messages: M[] = [];
  private lastAt = 0;

  /** `clock`: the receiving thread's. */
  constructor(process: SimulatedProcess, clock: ProcessClock, arrive: (message: M) => void) {
    this.process = process;
    this.clock = clock;
    this.arrive = arrive;
  }

  put(message: M): void {
    this.messages.push(structuredClone(message));
    const now = this.process.clock.monotonic();
    this.lastAt = Math.max(this.lastAt, now + this.process.between(MESSAGE_MS.least, MESSAGE_MS.most));
    this.clock.schedule(this.lastAt - now, () => this.arrive(this.messages.shift() as M));
  }
}

function describe(message: ToSlot | FromSlot): string {
  switch (message.type) {
    case 'deploy':
      return `attempt ${message.deployment.attempt}`;
    case 'trigger':
    case 'complete':
    case 'abort':
    case 'committed':
    case 'declined':
      return `epoch ${message.epoch}${message.type === 'declined' ? `: ${message.reason}` : ''}`;
    case 'acknowledged':
      return `epoch ${message.snapshot.epoch} ${message.snapshot.vertexId}:${message.snapshot.subtaskIndex}`;
    case 'ended':
      return `${message.vertexId}:${message.subtask}`;
    case 'failed':
      return `${message.error.code}: ${message.error.message}`;
    default:
      return '';
  }
}
