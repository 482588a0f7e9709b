/** Watches one connection: says that this end lives, and notices when the other is silent for too long. */
import type { Clock, ScheduledCall } from '../common/clock.js';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly beat: () => void;
  /** Nothing was heard for `timeoutMs`. Called once. */
  readonly onSilence: () => void;
}

export class Heartbeat {
  private readonly options: HeartbeatOptions;
  private heardAt: number;
  private timer: ScheduledCall | undefined;

  constructor(options: HeartbeatOptions) {
    this.options = options;
    this.heardAt = options.clock.monotonic();
    this.schedule();
  }

  /** Any message counts. */
  heard(): void {
    this.heardAt = this.options.clock.monotonic();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private schedule(): void {
    this.timer = this.options.clock.schedule(this.options.intervalMs, () => this.tick());
  }

  private tick(): void {
    const { clock, timeoutMs, beat, onSilence } = this.options;
    if (clock.monotonic() - this.heardAt >= timeoutMs) {
      this.timer = undefined;
      onSilence();
      return;
    }
    beat();
    this.schedule();
  }
}
