/**
 * Progress of a run: a live table on a terminal, plain lines elsewhere; and notes of what a user must know. Written to standard error,
 * so that a program's own output stays clean. A job that ends within a second shows nothing of it.
 */
import { relative } from 'node:path';
import type { MillstreamError } from 'millstream';
import {
  type CompletedCheckpointReport,
  type RunObserver,
  type RunOutcome,
  SILENT_OBSERVER,
  type StopSignal,
  type TaskMetrics,
} from 'millstream/cluster';
import colors from 'picocolors';
import { clip, formatBytes, formatCount, formatSeconds, formatShare, formatWatermark } from './format-figures.js';
import { LiveBlock } from './live-block.js';
import { RunFigures, type VertexFigures } from './run-figures.js';

/** What is shown: everything, only notes (restarts, failed checkpoints, how a stopped run goes on), or nothing. */
export type ProgressLevel = 'all' | 'notes' | 'none';

/** Settings of the display. */
export interface ProgressOptions {
  readonly level: ProgressLevel;
  /** The command that goes on from a checkpoint. */
  readonly resumeCommand?: ((checkpoint: string) => string) | undefined;
}

/** The display of a run. */
export interface Progress {
  readonly observer: RunObserver;
  /** The job starts. */
  began(): void;
  /** It is asked to stop. */
  stopping(signal: StopSignal): void;
  /** It has ended, and not failed. */
  ended(outcome: RunOutcome): void;
  /** It has failed; `checkpoint` is what it can go on from. */
  failed(checkpoint: string | undefined): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

/** Jobs that take less show nothing. */
const QUIET_MS = 1000;
/** Plain lines come this often. */
const LINE_INTERVAL_MS = 5000;
const BAR_WIDTH = 30;

function pause(delayMs: number): string {
  return delayMs < 100 ? 'now' : `in ${formatSeconds(delayMs / 1000)}`;
}

/** Shows progress on a stream: a live table on a terminal, plain lines elsewhere. */
export function createProgress(stream: NodeJS.WriteStream, options: ProgressOptions): Progress {
  return new ProgressDisplay(stream, options);
}

class ProgressDisplay implements Progress {
  readonly observer: RunObserver;
  readonly #stream: NodeJS.WriteStream;
  readonly #options: ProgressOptions;
  #live: LiveBlock | undefined;
  #figures: RunFigures | undefined;
  #started = 0;
  #shown = false;
  #lastLine = 0;
  #attempts = 0;
  #checkpoints = 0;
  #lastCheckpoint: CompletedCheckpointReport | undefined;

  constructor(stream: NodeJS.WriteStream, options: ProgressOptions) {
    this.#stream = stream;
    this.#options = options;
    this.observer = {
      ...SILENT_OBSERVER,
      attemptStarted: (attempt, graph, from, expected) => {
        this.#attempts++;
        // What a restored attempt has read before is not known here.
        this.#figures = new RunFigures(graph, from === undefined ? expected : new Map());
        const start = from === undefined ? 'the beginning' : `checkpoint ${relative('.', from)}`;
        if (attempt > 1) this.#note(`Attempt ${attempt} starts from ${start}.`);
        else if (from !== undefined) this.#note(`Starting from ${start}.`);
      },
      restarting: (error, delayMs) => this.#noteRestart(error, `Restarting ${pause(delayMs)}.`),
      regionsRestarting: (subtasks, error, delayMs) => {
        const count = `${subtasks.length} ${subtasks.length === 1 ? 'subtask' : 'subtasks'}`;
        this.#noteRestart(error, `Restarting ${count} ${pause(delayMs)}; the others go on.`);
      },
      checkpointCompleted: (checkpoint) => {
        this.#checkpoints++;
        this.#lastCheckpoint = checkpoint;
      },
      closeFailed: ({ code, message }) => this.#note(`${colors.yellow(`warning ${code}`)}: ${message}`),
      checkpointFailed: (epoch, reason) => this.#note(`${colors.yellow('warning')}: checkpoint ${epoch} failed: ${reason}`),
      metrics: (_slot, tasks) => this.#update(tasks),
    };
  }

  began(): void {
    this.#started = performance.now();
  }

  stopping(signal: StopSignal): void {
    this.#note(`Stopping (${signal}); a second one ends the process at once.`);
  }

  ended(outcome: RunOutcome): void {
    this.#closeLive();
    switch (outcome.type) {
      case 'finished':
        if (this.#shown) this.#write(this.#summary('Finished'));
        break;
      case 'stopped':
        this.#note(`${this.#summary('Stopped')}\nResume with: ${this.#resume(outcome.checkpoint)}`);
        break;
      case 'cancelled':
        this.#note(
          outcome.checkpoint === undefined
            ? `${this.#summary('Cancelled')}\nNothing was kept: the job has no checkpoint directory. With --checkpoint-dir <directory>, a stop keeps a checkpoint to resume from.`
            : `${this.#summary('Cancelled')}\nResume from the last checkpoint with: ${this.#resume(outcome.checkpoint)}`,
        );
        break;
    }
  }

  failed(checkpoint: string | undefined): void {
    this.#closeLive();
    if (this.#shown || checkpoint !== undefined) this.#note(this.#summary('Failed'));
    if (checkpoint !== undefined) this.#note(`Resume from the last checkpoint with: ${this.#resume(checkpoint)}`);
  }

  close(): void {
    this.#closeLive();
  }

  #resume(checkpoint: string): string {
    return this.#options.resumeCommand?.(relative('.', checkpoint)) ?? `--from ${relative('.', checkpoint)}`;
  }

  #noteRestart({ code, message }: MillstreamError, what: string): void {
    this.#note(`${colors.yellow(`warning ${code}`)}: ${message}\n${what}`);
  }

  #note(text: string): void {
    if (this.#options.level !== 'none') this.#write(text);
  }

  #write(text: string): void {
    this.#live?.clear();
    this.#stream.write(`${text}\n`);
  }

  #closeLive(): void {
    this.#live?.close();
    this.#live = undefined;
  }

  #update(tasks: readonly TaskMetrics[]): void {
    const now = performance.now();
    this.#figures?.add(tasks, now);
    if (this.#options.level !== 'all' || now - this.#started < QUIET_MS) return;
    if (this.#stream.isTTY) {
      this.#shown = true;
      this.#live ??= new LiveBlock(this.#stream);
      this.#live.draw(this.#table(this.#live.columns));
      return;
    }
    if (!this.#shown) {
      this.#shown = true;
      this.#lastLine = now;
      this.#write(`Job "${this.#figures?.graph.jobName}" is running.`);
    } else if (now - this.#lastLine >= LINE_INTERVAL_MS) {
      this.#lastLine = now;
      this.#write(this.#line());
    }
  }

  #elapsed(): string {
    return formatSeconds((performance.now() - this.#started) / 1000);
  }

  #summary(what: string): string {
    const read = this.#figures?.recordsRead() ?? 0;
    // Records of earlier attempts are counted nowhere.
    const records =
      this.#attempts > 1
        ? ` ${this.#attempts - 1} ${this.#attempts === 2 ? 'restart' : 'restarts'},`
        : ` ${formatCount(read)} records read,`;
    return `${what} after ${this.#elapsed()}:${[`${records} ${this.#checkpointCount()}`, ...this.#losses()].join(', ')}.`;
  }

  /** What is missing in the results, in this attempt. */
  #losses(): string[] {
    const { late, skipped } = this.#figures?.losses() ?? { late: 0, skipped: 0 };
    return [
      ...(late === 0 ? [] : [`${formatCount(late)} late ${late === 1 ? 'record' : 'records'} dropped`]),
      ...(skipped === 0 ? [] : [`${formatCount(skipped)} bad ${skipped === 1 ? 'record' : 'records'} skipped`]),
    ];
  }

  #checkpointCount(): string {
    return `${this.#checkpoints} ${this.#checkpoints === 1 ? 'checkpoint' : 'checkpoints'}`;
  }

  #line(): string {
    const sources = this.#figures?.vertices().filter((vertex) => vertex.isSource) ?? [];
    const rate = sources.reduce((sum, vertex) => sum + vertex.recordsPerSecond, 0);
    const watermark = sources.reduce((least, vertex) => Math.min(least, vertex.watermark), Number.POSITIVE_INFINITY);
    const input = this.#figures?.input();
    return [
      this.#elapsed(),
      `${formatCount(this.#figures?.recordsRead() ?? 0)} records read`,
      ...(input === undefined ? [] : [formatShare(input.share), `${formatSeconds(input.secondsLeft)} left`]),
      `${formatCount(rate)}/s`,
      ...(Number.isFinite(watermark) ? [`watermark ${formatWatermark(watermark)}`] : []),
      this.#checkpointCount(),
      ...this.#losses(),
    ].join(', ');
  }

  #table(columns: number): string[] {
    const vertices = this.#figures?.vertices() ?? [];
    const eventTime = vertices.some(({ watermark }) => Number.isFinite(watermark));
    const figures = [HEADINGS, ...vertices.map(cells)].map((row) => alignCells(row, eventTime));
    const names = ['operator', ...vertices.map(({ name }) => name)];
    const longest = Math.max(...names.map((name) => name.length));
    const width = Math.max(16, Math.min(longest, columns - (figures[0] as string).length - 1));
    const rows = figures.map((text, at) => `${clip(names[at] as string, width).padEnd(width)}${text}`);
    return [...rows.map((row, at) => (at === 0 ? colors.dim(row) : row)), this.#status()];
  }

  #status(): string {
    const input = this.#figures?.input();
    const last = this.#lastCheckpoint;
    const bar = (share: number): string => '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '░');
    return [
      ...(input === undefined ? [] : [`${bar(input.share)} ${formatShare(input.share)}`, `${formatSeconds(input.secondsLeft)} left`]),
      this.#elapsed(),
      last === undefined
        ? this.#checkpointCount()
        : `${this.#checkpointCount()} (last ${formatBytes(last.bytes)} in ${Math.round(last.durationMs)} ms)`,
      ...(this.#attempts > 1 ? [`attempt ${this.#attempts}`] : []),
      ...this.#losses(),
    ].join(colors.dim(' · '));
  }
}

/** Records, rate, watermark, busy, back pressure. */
type Cells = readonly [string, string, string, string, string];

const HEADINGS: Cells = ['records', 'per second', 'watermark', 'busy', 'back pressure'];
const WIDTHS = [10, 12, 18, 7, 15];

function cells(vertex: VertexFigures): Cells {
  return [
    formatCount(vertex.records),
    formatCount(vertex.recordsPerSecond),
    formatWatermark(vertex.watermark),
    formatShare(vertex.busy),
    formatShare(vertex.backPressured),
  ];
}

function alignCells(row: Cells, eventTime: boolean): string {
  return row.map((cell, at) => (at === 2 && !eventTime ? '' : cell.padStart(WIDTHS[at] as number))).join('');
}
