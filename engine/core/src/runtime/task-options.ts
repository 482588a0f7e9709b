/** What a task is built of, and what it tells its slot. */
import type { Clock } from '../common/clock.js';
import type { ChainControl, OutputChannel } from '../network/channel.js';
import type { Frame } from '../network/frame.js';
import type { PausableClock } from '../time/idleness.js';
import type { WatermarkValve } from '../time/watermark-valve.js';
import type { CompiledChain } from './chain.js';
import type { InputGate } from './input-gate.js';
import type { SourceInput } from './source-input.js';
import type { Task } from './task.js';

export interface Barrier {
  readonly epoch: number;
  readonly completed: number;
  /** State is written in full, and no delta is relative to it. Absent: a checkpoint. */
  readonly savepoint?: true;
  /** It is announced, and from then on (monotonic, ms) may overtake elements, which become part of the snapshot. Absent: it never does. */
  readonly overtakeAt?: number;
}

/** What was on its way in one channel. */
export interface NamedFrames {
  readonly channel: string;
  readonly frames: readonly Frame[];
}

/** What was on its way to a task and from it when a barrier overtook it. */
export interface InFlightElements {
  readonly inputs: readonly NamedFrames[];
  readonly outputs: readonly NamedFrames[];
}

export interface TaskOptions {
  readonly name: string;
  readonly vertexId: string;
  readonly subtaskIndex: number;
  readonly clock: Clock;
  /** Stands still while the task cannot read its input: blocked by outputs, suspended, or aligning. */
  readonly activity: PausableClock;
  readonly chain: CompiledChain;
  readonly control: ChainControl;
  readonly gate: InputGate | undefined;
  readonly valve: WatermarkValve | undefined;
  readonly source: SourceInput | undefined;
  /** Ms between two watermarks of a source. */
  readonly watermarkIntervalMs: number;
  /** Restored as finished: ends at once. */
  readonly finished: boolean;
  readonly channels: readonly OutputChannel[];
  /** All records of this subtask, for errors and metrics. */
  readonly recordsIn: Float64Array;
  /**
   * Between two elements, with no interrupted work: make the snapshot. Outputs get the barrier after it returns. `inFlight`: what else belongs
   * to the snapshot, of a barrier that may overtake.
   */
  readonly onBarrier: (task: Task, barrier: Barrier, inFlight: Promise<InFlightElements> | undefined) => void;
  readonly onEnd: (task: Task) => void;
  readonly wakeSlot: () => void;
  readonly onFailure: (error: unknown) => void;
}
