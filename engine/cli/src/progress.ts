/**
 * Progress of a run: a live table on a terminal, plain lines elsewhere. Written to standard error, so that a program's own output stays
 * clean.
 */
import { createLogUpdate } from 'log-update';
import { type JobGraph, type RunObserver, type RunOutcome, SILENT_OBSERVER, type TaskMetrics } from 'millstream/cluster';
import colors from 'picocolors';

export interface Progress {
  readonly observer: RunObserver;
  note(text: string): void;
  end(outcome: RunOutcome | undefined): void;
}

/** Plain lines come this often. */
const LINE_INTERVAL_MS = 5000;

interface TaskRow {
  readonly metrics: TaskMetrics;
  readonly at: number;
  readonly recordsPerSecond: number;
  readonly backPressure: number;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  return new ProgressDisplay(stream);
}

class ProgressDisplay implements Progress {
  readonly observer: RunObserver;
  private readonly stream: NodeJS.WriteStream;
  private readonly live: ReturnType<typeof createLogUpdate> | undefined;
  private readonly rows = new Map<string, TaskRow>();
  private graph: JobGraph | undefined;
  private checkpoints = 0;
  private lastLine = performance.now();

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
    this.live = stream.isTTY ? createLogUpdate(stream) : undefined;
    this.observer = {
      ...SILENT_OBSERVER,
      attemptStarted: (attempt, graph, restoredFrom) => {
        this.graph = graph;
        this.rows.clear();
        if (attempt > 1 || restoredFrom !== undefined) this.note(`Attempt ${attempt} starts from ${restoredFrom ?? 'the beginning'}.`);
      },
      restarting: (error, delayMs) => this.note(colors.yellow(`${error.code}: ${error.message} Restarting in ${(delayMs / 1000).toFixed(1)} s.`)),
      checkpointCompleted: () => {
        this.checkpoints++;
      },
      checkpointFailed: (epoch, reason) => this.note(colors.yellow(`Checkpoint ${epoch} failed: ${reason}`)),
      metrics: (_slot, tasks) => this.update(tasks),
    };
  }

  note(text: string): void {
    this.live?.clear();
    this.stream.write(`${text}\n`);
  }

  end(outcome: RunOutcome | undefined): void {
    this.live?.clear();
    if (outcome?.type === 'stopped') this.note(`Stopped. Resume with: --from ${outcome.checkpoint}`);
    if (outcome?.type === 'cancelled') this.note('Cancelled.');
  }

  private update(tasks: readonly TaskMetrics[]): void {
    const at = performance.now();
    for (const metrics of tasks) {
      const key = `${metrics.vertexId}:${metrics.subtask}`;
      const before = this.rows.get(key);
      const elapsed = before === undefined ? 0 : at - before.at;
      const rate = elapsed > 0 ? (((metrics.recordsIn[0] ?? 0) - (before?.metrics.recordsIn[0] ?? 0)) / elapsed) * 1000 : 0;
      const pressure = elapsed > 0 ? (metrics.backPressuredMs - (before?.metrics.backPressuredMs ?? 0)) / elapsed : 0;
      this.rows.set(key, { metrics, at, recordsPerSecond: Math.max(0, rate), backPressure: Math.min(1, Math.max(0, pressure)) });
    }
    if (this.live !== undefined) this.live(this.table());
    else if (at - this.lastLine >= LINE_INTERVAL_MS) {
      this.lastLine = at;
      this.stream.write(`${this.line()}\n`);
    }
  }

  private vertexRows(): { name: string; rate: number; records: number; watermark: number; pressure: number }[] {
    return (this.graph?.vertices ?? []).map((vertex) => {
      const rows = [...this.rows.values()].filter((row) => row.metrics.vertexId === vertex.id);
      return {
        name: vertex.name,
        rate: rows.reduce((sum, row) => sum + row.recordsPerSecond, 0),
        records: rows.reduce((sum, row) => sum + (row.metrics.recordsIn[0] ?? 0), 0),
        watermark: rows.reduce((least, row) => Math.min(least, row.metrics.watermark), Number.POSITIVE_INFINITY),
        pressure: rows.reduce((most, row) => Math.max(most, row.backPressure), 0),
      };
    });
  }

  private table(): string {
    const width = (this.stream.columns ?? 100) - 1;
    const lines = this.vertexRows().map((row) => {
      const figures = `${count(row.records).padStart(9)} ${`${count(row.rate)}/s`.padStart(9)}  ${time(row.watermark).padEnd(16)}  bp ${Math.round(row.pressure * 100)}%`;
      return `${clip(row.name, Math.max(20, width - figures.length - 2)).padEnd(Math.max(20, width - figures.length - 2))}  ${figures}`;
    });
    const head = `${'operator'.padEnd(Math.max(20, width - 45))}    records    rate    watermark`;
    return [colors.dim(clip(head, width)), ...lines.map((line) => clip(line, width)), colors.dim(`checkpoints: ${this.checkpoints}`)].join('\n');
  }

  private line(): string {
    const parts = this.vertexRows().map((row) => `${clip(row.name, 40)}: ${count(row.records)} (${count(row.rate)}/s, ${time(row.watermark)})`);
    return `${parts.join(' | ')} | checkpoints ${this.checkpoints}`;
  }
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function count(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return String(Math.round(value));
}

function time(watermark: number): string {
  if (watermark === Number.NEGATIVE_INFINITY) return 'no watermark';
  if (watermark === Number.POSITIVE_INFINITY) return 'end';
  return new Date(watermark).toISOString().slice(0, 16).replace('T', ' ');
}
