/**
 * What happened in a simulation, in order: a hash over everything, counts by kind, and the last lines for people. Faults wait here for
 * the moment that they are meant for.
 */
import type { Clock } from '../../common/clock.js';

/** Lines that are kept for a failure's report. */
const LINES_MAX = 300;

type Listener = (kind: string, host: string) => void;

/** Everything that happened, in order. */
export class SimulationTrace {
  /** By kind. */
  readonly counts: Map<string, number> = new Map();
  private readonly clock: Clock;
  private readonly startedAt: number;
  private readonly lines: string[] = [];
  private readonly listeners = new Set<Listener>();
  private readonly isPrinting: boolean;
  private low = 0x811c9dc5;
  private high = 0x9e3779b9;

  constructor(clock: Clock, isPrinting: boolean) {
    this.clock = clock;
    this.startedAt = clock.monotonic();
    this.isPrinting = isPrinting;
  }

  /** Something for people too. `kind`: 'slot acknowledged', 'leader granted' … */
  milestone(kind: string, host: string, detail = ''): void {
    const line = this.note(kind, host, detail);
    if (this.lines.push(line) > LINES_MAX) this.lines.shift();
    if (this.isPrinting) process.stderr.write(`${line}\n`);
    for (const listener of [...this.listeners]) listener(kind, host);
  }

  /** Something that counts for the hash only. */
  event(kind: string, host: string, detail = ''): void {
    this.note(kind, host, detail);
    for (const listener of [...this.listeners]) listener(kind, host);
  }

  /** Hears everything from now on, until the returned function is called. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Counts something that is in the trace in another way. */
  tally(kind: string): void {
    this.counts.set(kind, this.count(kind) + 1);
  }

  count(kind: string): number {
    return this.counts.get(kind) ?? 0;
  }

  /** Differs as soon as one event differs: in time, place, kind or detail. */
  get hash(): string {
    return [this.high, this.low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** The last lines. */
  tail(): string {
    return this.lines.join('\n');
  }

  private note(kind: string, host: string, detail: string): string {
    this.counts.set(kind, this.count(kind) + 1);
    const line = `${(this.clock.monotonic() - this.startedAt).toFixed(3).padStart(10)} ${host.padEnd(16)} ${kind} ${detail}`;
    for (let at = 0; at < line.length; at++) {
      const code = line.charCodeAt(at);
      this.low = Math.imul(this.low ^ code, 0x01000193);
      this.high = Math.imul(this.high ^ code ^ (this.low >>> 15), 0x85ebca6b);
    }
    return line;
  }
}
