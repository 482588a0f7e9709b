/** Lets the faults of a plan happen: each once, at its time or after its event, and ends them. */
import { type ClusterFault, describeFault } from './cluster-fault.js';
import { type BegunFault, beginFault, type FaultBody, type FaultSurroundings } from './fault-kinds.js';

/** What became of a fault. */
export interface FaultReport {
  readonly type: FaultBody['type'];
  /** In one line. */
  readonly fault: string;
  /** Ms since the beginning; undefined: it never began, for its event or its target was not there. */
  readonly begunAtMs: number | undefined;
  /** What it changed: processes, messages, operations. */
  readonly effects: number;
}

interface PlannedFault {
  readonly fault: ClusterFault;
  begun: { readonly atMs: number; readonly fault: BegunFault } | undefined;
  hasEnded: boolean;
}

/** See the head of this file. */
export class FaultSchedule {
  private readonly surroundings: FaultSurroundings;
  private readonly planned: readonly PlannedFault[];
  private isOver = false;

  constructor(surroundings: FaultSurroundings, faults: readonly ClusterFault[]) {
    this.surroundings = surroundings;
    this.planned = faults.map((fault) => ({ fault, begun: undefined, hasEnded: false }));
    for (const each of this.planned) this.await(each);
  }

  /** No fault begins any more. */
  close(): void {
    this.isOver = true;
  }

  /** Ends what goes on. */
  endAll(): void {
    this.close();
    for (const each of this.planned) this.end(each);
  }

  get report(): readonly FaultReport[] {
    return this.planned.map(({ fault, begun }) => ({
      type: fault.body.type,
      fault: describeFault(fault),
      begunAtMs: begun?.atMs,
      effects: begun?.fault.effects() ?? 0,
    }));
  }

  private await(planned: PlannedFault): void {
    const { world } = this.surroundings;
    const { trigger } = planned.fault;
    if ('atMs' in trigger) {
      world.clock.schedule(trigger.atMs - world.elapsedMs, () => this.begin(planned));
      return;
    }
    let left = trigger.count;
    const stop = world.trace.listen((kind) => {
      if (kind !== trigger.event || --left > 0) return;
      stop();
      world.clock.schedule(trigger.delayMs, () => this.begin(planned));
    });
  }

  private begin(planned: PlannedFault): void {
    if (this.isOver) return;
    const { world } = this.surroundings;
    const fault = beginFault(this.surroundings, planned.fault.body);
    world.trace.milestone('fault', '', `${describeFault(planned.fault)}${fault === undefined ? ': nothing to happen to' : ''}`);
    if (fault === undefined) return;
    planned.begun = { atMs: world.elapsedMs, fault };
    world.clock.schedule(fault.durationMs, () => this.end(planned));
  }

  private end(planned: PlannedFault): void {
    if (planned.begun === undefined || planned.hasEnded) return;
    planned.hasEnded = true;
    planned.begun.fault.end();
    this.surroundings.world.trace.milestone('fault over', '', planned.fault.body.type);
  }
}
