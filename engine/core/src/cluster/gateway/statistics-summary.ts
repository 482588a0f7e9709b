/** Minimum, maximum, mean and percentiles over the last values; bounded. */
import type { StatisticsSummary } from './checkpoint-info.js';

const WINDOW = 1000;

/** The last thousand values. */
export class SummaryWindow {
  private readonly values: number[] = [];
  private next = 0;

  add(value: number): void {
    this.values[this.next] = value;
    this.next = (this.next + 1) % WINDOW;
  }

  /** All zero if there are no values. Percentiles are nearest ranks. */
  summary(): StatisticsSummary {
    const sorted = [...this.values].sort((a, b) => a - b);
    const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    const sum = sorted.reduce((total, value) => total + value, 0);
    return {
      min: sorted[0] ?? 0,
      max: sorted.at(-1) ?? 0,
      avg: sorted.length === 0 ? 0 : Math.round(sum / sorted.length),
      p50: rank(0.5),
      p90: rank(0.9),
      p95: rank(0.95),
      p99: rank(0.99),
      p999: rank(0.999),
    };
  }
}
