/**
 * What a task spends its time on: turns, waiting for room in its outputs, waiting for input; the rest is the wait for other tasks of the
 * slot. Keeps the clock of its activity, which stands still while the task cannot read its input.
 */
import type { Clock } from '../common/clock.js';
import type { PausableClock } from '../time/idleness.js';

export class TaskTimes {
  busyMs = 0;
  backPressuredMs = 0;
  idleMs = 0;
  private readonly clock: Clock;
  private readonly activity: PausableClock;
  private countedUntil: number;
  private waiting: 'outputs' | 'input' | 'turn' = 'turn';
  private stalled = false;

  constructor(clock: Clock, activity: PausableClock) {
    this.clock = clock;
    this.activity = activity;
    this.countedUntil = clock.monotonic();
  }

  /** Counts the wait until now, and returns now. At the start of a turn, and before the figures are read. */
  count(): number {
    const now = this.clock.monotonic();
    const waited = now - this.countedUntil;
    this.countedUntil = now;
    if (this.waiting === 'outputs') this.backPressuredMs += waited;
    else if (this.waiting === 'input') this.idleMs += waited;
    return now;
  }

  /** A turn that began with `count` has ended; what the task waits for now. */
  turnEnded(waiting: 'outputs' | 'input' | 'turn'): void {
    const now = this.clock.monotonic();
    this.busyMs += now - this.countedUntil;
    this.countedUntil = now;
    this.waiting = waiting;
  }

  /** There was no turn, for want of room. */
  blocked(): void {
    this.waiting = 'outputs';
  }

  setStalled(stalled: boolean): void {
    if (stalled === this.stalled) return;
    this.stalled = stalled;
    if (stalled) this.activity.pause();
    else this.activity.resume();
  }
}
