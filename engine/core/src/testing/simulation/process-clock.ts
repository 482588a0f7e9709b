/**
 * The clock of a simulated process, or of a thread in it: skewed against the others, stopped while the process stands still, silent after
 * its death. Code under it takes virtual time: each question for the time within a turn costs some, and puts the thread ahead of the
 * others, who find it busy until they are there too.
 *
 * Invariants: 1. after `kill` nothing that was scheduled on it, or on a thread's clock under it, happens; 2. what falls due during a pause
 * or a turn happens at its end; 3. no clock goes back.
 */
import type { Clock, ScheduledCall } from '../../common/clock.js';
import type { VirtualClock } from '../virtual-clock.js';

/** When every simulation begins, on a clock that is right. */
const BEGINNING = Date.UTC(2026, 0, 1);
/** Times that are nearer than this are the same: sums of fractions are never exact. */
const SAME_MS = 1e-6;

/** How a machine's clock goes wrong. */
export interface ClockSkew {
  /** Of the wall clock, ms. */
  readonly offsetMs: number;
  /** Local ms per ms. */
  readonly rate: number;
}

/** See the head of this file. */
export class ProcessClock implements Clock {
  isDead = false;
  private readonly base: VirtualClock;
  private readonly skew: ClockSkew;
  private readonly parent: ProcessClock | undefined;
  private readonly children = new Set<ProcessClock>();
  /** And whether it keeps the process alive. */
  private readonly pending = new Map<ScheduledCall, boolean>();
  private readonly bootedAt: number;
  private pausedUntil = 0;
  private isInTurn = false;
  /** The end of what the thread has done already. */
  private aheadUntil = 0;
  private readonly questionMs: number;

  /** `questionMs`: what asking for the time costs within a turn. */
  constructor(base: VirtualClock, skew: ClockSkew, questionMs: number, parent?: ProcessClock) {
    this.base = base;
    this.skew = skew;
    this.questionMs = questionMs;
    this.parent = parent;
    this.bootedAt = parent?.bootedAt ?? base.monotonic();
  }

  /** The clock of a thread: it dies with the process, and may die before. */
  thread(questionMs: number): ProcessClock {
    const child = new ProcessClock(this.base, this.skew, questionMs, this);
    child.isDead = this.isDead;
    this.children.add(child);
    return child;
  }

  now(): number {
    this.ask();
    return Math.floor(BEGINNING + this.time() + this.skew.offsetMs);
  }

  monotonic(): number {
    this.ask();
    return (this.time() - this.bootedAt) * this.skew.rate;
  }

  schedule(delayMs: number, callback: () => void, keepAlive = true): ScheduledCall {
    if (this.isDead) return { cancel: () => undefined };
    let inner: ScheduledCall;
    const call: ScheduledCall = {
      cancel: () => {
        this.pending.delete(call);
        inner.cancel();
      },
    };
    const fire = (): void => {
      const waitMs = Math.max(this.pauseLeftMs(), this.time() - this.base.monotonic());
      if (waitMs > SAME_MS) {
        inner = this.base.schedule(waitMs, fire);
        return;
      }
      this.pending.delete(call);
      callback();
    };
    this.pending.set(call, keepAlive);
    // Never early, by its own clock: a timer that finds that it is not time yet would be set again, for no time at all.
    const waitMs = delayMs > 0 ? delayMs / this.skew.rate + SAME_MS : 0;
    inner = this.base.schedule(this.time() - this.base.monotonic() + waitMs, fire);
    return call;
  }

  async sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => this.schedule(delayMs, resolve));
  }

  /** Runs a turn of a thread. */
  turn(work: () => void): void {
    this.isInTurn = true;
    try {
      work();
    } finally {
      this.isInTurn = false;
    }
  }

  /** The process stands still, as under SIGSTOP or a long collection. */
  pause(durationMs: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.base.monotonic() + durationMs);
  }

  kill(): void {
    this.isDead = true;
    for (const call of [...this.pending.keys()]) call.cancel();
    for (const child of this.children) child.kill();
    this.parent?.children.delete(this);
  }

  /** Calls that wait and would keep the process alive, of its threads too. */
  get pendingCalls(): number {
    let calls = 0;
    for (const keepsAlive of this.pending.values()) if (keepsAlive) calls++;
    for (const child of this.children) calls += child.pendingCalls;
    return calls;
  }

  private pauseLeftMs(): number {
    return Math.max(this.pausedUntil - this.base.monotonic(), this.parent?.pauseLeftMs() ?? 0);
  }

  private ask(): void {
    if (this.isInTurn) this.aheadUntil = this.time() + this.questionMs;
  }

  private time(): number {
    return Math.max(this.base.monotonic(), this.aheadUntil);
  }
}
