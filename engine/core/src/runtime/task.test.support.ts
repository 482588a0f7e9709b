/** A task of scripted operators over scripted channels, on virtual time: for the tests of task and slot. */
import { seededRandom } from '../common/random.js';
import { type ChainControl, OutputChannel, type Transport } from '../network/channel.js';
import { type ControlElement, RecordBatch, type StreamElement } from '../network/element.js';
import { FrameEncoder } from '../network/frame.js';
import { LocalChannel } from '../network/local-channel.js';
import type { Announcement } from '../network/ring.js';
import type { Budget, Operator, OperatorContext } from '../operators/operator.js';
import type { PlanNode } from '../plan/plan.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { PausableClock } from '../time/idleness.js';
import { WatermarkValve } from '../time/watermark-valve.js';
import type { ChainStep } from './chain.js';
import { generateChain } from './chain-generator.js';
import { InputGate } from './input-gate.js';
import { OperatorStates } from './operator-state.js';
import { Task } from './task.js';
import { TaskOperator } from './task-operator.js';
import type { Barrier, InFlightElements } from './task-options.js';

/** What arrived at an output: records as they are, control elements as text. */
export type Arrived = unknown;

/** Takes as many batches as it has credit for. */
export class CreditTransport implements Transport {
  readonly arrived: Arrived[] = [];
  credit: number = Number.POSITIVE_INFINITY;
  /** The last one. */
  announcement: Announcement | undefined;
  /** It has refused something that has not been offered again with success. */
  owes = false;

  offerBatch(batch: RecordBatch): boolean {
    if (!this.take()) return false;
    this.arrived.push(...batch.values.slice(0, batch.count));
    batch.count = 0;
    return true;
  }

  offerControl(element: ControlElement): boolean {
    if (!this.take()) return false;
    this.arrived.push(textOf(element));
    return true;
  }

  private take(): boolean {
    this.owes = this.credit <= 0;
    if (!this.owes) this.credit--;
    return !this.owes;
  }

  hasCredit(): boolean {
    return this.credit > 0;
  }

  takeSpare(): RecordBatch {
    return new RecordBatch();
  }

  announce(announcement: Announcement): boolean {
    this.arrived.push(`barrier ${announcement.epoch} announced`);
    this.announcement = announcement;
    return true;
  }

  unsent(): void {}
}

export function textOf(element: ControlElement): string {
  switch (element.type) {
    case 'watermark':
      return `watermark ${element.watermark}`;
    case 'idle':
      return element.idle ? 'idle' : 'active';
    case 'barrier':
      return `barrier ${element.epoch}`;
    case 'end':
      return 'end';
  }
}

/** A channel that has all its elements at once. */
export class ScriptedChannel extends LocalChannel {
  readonly elements: StreamElement[] = [];

  override poll(): StreamElement | undefined {
    return this.elements.shift() ?? super.poll();
  }

  override recycle(): void {}

  records(...values: readonly unknown[]): this {
    const batch = new RecordBatch();
    for (const value of values) {
      batch.values[batch.count] = value;
      batch.timestamps[batch.count++] = 0;
    }
    this.elements.push(batch);
    return this;
  }

  control(element: ControlElement): this {
    this.elements.push(element);
    return this;
  }
}

/** What the operators of a rig do. */
export interface FiringScript {
  /** Results per watermark, of each operator. */
  readonly firings: number;
  /** Results at the end of the input, of each operator. */
  readonly finishings: number;
  /** How much time a result takes, ms. */
  readonly resultMs: number;
}

/** Emits `firings` results per watermark and `finishings` at the end, asking the budget after each. */
export class FiringOperator implements Operator {
  /** Results of the call that was interrupted. */
  fired = 0;
  readonly name: string;
  private readonly context: OperatorContext;
  private readonly script: FiringScript;
  private readonly clock: VirtualClock;
  private readonly entered: (call: string) => void;

  constructor(name: string, context: OperatorContext, script: FiringScript, clock: VirtualClock, entered: (call: string) => void) {
    this.name = name;
    this.context = context;
    this.script = script;
    this.clock = clock;
    this.entered = entered;
  }

  processElement(value: unknown, timestamp: number): void {
    this.entered(`${this.name} record`);
    this.context.output.collect(value, timestamp);
  }

  advanceEventTime(watermark: number, budget: Budget): boolean {
    this.entered(`${this.name} watermark ${watermark}`);
    return this.emit(`${this.name} fired at ${watermark}`, this.script.firings, budget);
  }

  finish(budget: Budget): boolean {
    this.entered(`${this.name} finish`);
    return this.emit(`${this.name} finished`, this.script.finishings, budget);
  }

  private emit(what: string, count: number, budget: Budget): boolean {
    while (this.fired < count) {
      this.context.output.collect(`${what} #${this.fired++}`, 0);
      this.clock.advanceBy(this.script.resultMs);
      if (budget.exhausted() && this.fired < count) return false;
    }
    this.fired = 0;
    return true;
  }
}

export interface TaskRigOptions {
  readonly inputs?: number;
  readonly alignBarriers?: boolean;
  /** Operators of the chain, each feeding the next; every one has an output edge of its own. */
  readonly operators: readonly ((context: OperatorContext, rig: TaskRig) => Operator)[];
  readonly finished?: boolean;
  readonly recordMs?: number;
  /** Records travel one by one; false: in batches. Default true. */
  readonly flushEach?: boolean;
}

/** The task, its scripted ends, and everything it said. */
export class TaskRig {
  readonly clock: VirtualClock = new VirtualClock(1_000);
  readonly activity: PausableClock = new PausableClock(this.clock);
  readonly control: ChainControl = { stop: false };
  readonly inputs: readonly ScriptedChannel[];
  /** One per operator. */
  readonly outputs: readonly CreditTransport[];
  readonly task: Task;
  readonly operators: readonly TaskOperator[];
  /** Barriers, with what each output had got when the snapshot was made. */
  readonly barriers: { readonly epoch: number; readonly completed: number; readonly arrived: readonly number[] }[] = [];
  readonly failures: unknown[] = [];
  /** Hears every snapshot. */
  onBarrier: (barrier: Barrier, inFlight: Promise<InFlightElements> | undefined) => void = () => undefined;
  ends = 0;
  wakes = 0;

  constructor(options: TaskRigOptions) {
    const { operators, flushEach = true } = options;
    this.inputs = Array.from({ length: options.inputs ?? 1 }, () => new ScriptedChannel());
    this.outputs = operators.map(() => new CreditTransport());
    const channels = this.outputs.map((transport, producer) => new OutputChannel(transport, this.control, { producer }));
    const recordsIn = new Float64Array(operators.length);
    const created: Operator[] = [];
    const steps = operators.map((_, index): ChainStep => {
      const channel = channels[index] as OutputChannel;
      const edge = {
        append: (value: unknown, timestamp: number): void => {
          channel.append(value, timestamp);
          if (flushEach) channel.flush();
        },
      };
      const next = index + 1 < operators.length ? [index + 1] : [];
      return {
        type: 'operator',
        label: `${index}`,
        main: { operators: next, edges: [edge] },
        sides: new Map(),
        onError: undefined,
        operator: () => created[index] as Operator,
      };
    });
    const chain = generateChain({ name: 'rig', steps, control: this.control, recordsIn, checkEmitted: undefined });
    const gate = new InputGate(
      this.inputs.map((channel) => ({ channel, input: 0 as const, name: '', frames: new FrameEncoder({}) })),
      options.alignBarriers ?? true,
    );
    this.task = new Task({
      name: 'rig',
      vertexId: 'vertex',
      subtaskIndex: 3,
      clock: this.clock,
      activity: this.activity,
      chain,
      control: this.control,
      gate,
      valve: new WatermarkValve(this.inputs.length),
      source: undefined,
      watermarkIntervalMs: 200,
      finished: options.finished ?? false,
      channels,
      recordsIn,
      onBarrier: (_, barrier, inFlight) => {
        this.barriers.push({ ...barrier, arrived: this.outputs.map(({ arrived }) => arrived.length) });
        this.onBarrier(barrier, inFlight);
      },
      onEnd: () => this.ends++,
      wakeSlot: () => this.wakes++,
      onFailure: (error) => this.failures.push(error),
    });
    this.operators = operators.map((create, index) => {
      const operator = this.taskOperator(index, chain);
      created[index] = create(operator.context(), this);
      operator.operator = created[index];
      return operator;
    });
    this.operators.forEach((operator, index) => {
      const follower = this.operators[index + 1];
      if (follower !== undefined) operator.followers.push(follower);
      operator.broadcast = (element) => (channels[index] as OutputChannel).send(element);
    });
    chain.bind();
    this.task.operators = this.operators;
  }

  private taskOperator(index: number, chain: ReturnType<typeof generateChain>): TaskOperator {
    const { clock } = this;
    return new TaskOperator({
      index,
      node: { id: `node-${index}`, uid: `uid-${index}`, name: `operator-${index}` } as PlanNode,
      implementation: { type: 'map', fn: (value) => value },
      subtaskIndex: 3,
      parallelism: 4,
      maxParallelism: 128,
      environment: { run: 'run', attempt: 1, clock, random: seededRandom(1), checked: false },
      keySelectors: [],
      keyed: undefined,
      states: new OperatorStates([]),
      classes: undefined,
      recovery: undefined,
      restored: undefined,
      chain,
      task: this.task,
    });
  }

  get input(): ScriptedChannel {
    return this.inputs[0] as ScriptedChannel;
  }

  /** What the last operator's output got. */
  get arrived(): readonly Arrived[] {
    return (this.outputs.at(-1) as CreditTransport).arrived;
  }

  /** Turns until the task has nothing to do; `before` each of them. */
  settle(before: () => void = () => undefined): void {
    for (let turns = 0; turns < 100_000; turns++) {
      before();
      const result = this.task.run();
      if (result === 'idle' || result === 'ended') return;
    }
    throw new Error('the task does not come to rest');
  }
}
