/** The figures of a run, summed up from what its subtasks report every half second. */
import type { JobGraph, TaskMetrics } from 'millstream/cluster';

/** How much of a new rate counts against the one before: rates over about two seconds. */
const SMOOTHING = 0.3;

/** One vertex of the job, all subtasks together. */
export interface VertexFigures {
  readonly name: string;
  readonly isSource: boolean;
  readonly records: number;
  readonly recordsPerSecond: number;
  /** The lowest of its subtasks. */
  readonly watermark: number;
  /** Shares of the time, 0 to 1, of the subtask with the most. */
  readonly busy: number;
  readonly backPressured: number;
}

/** Of the bounded sources together. */
export interface InputProgress {
  /** 0 to 1. */
  readonly share: number;
  readonly secondsLeft: number;
}

interface Row {
  readonly metrics: TaskMetrics;
  /** The report that the next rate starts from, and when it came. */
  readonly base: TaskMetrics;
  readonly at: number;
  readonly recordsPerSecond: number;
  readonly busy: number;
  readonly backPressured: number;
}

/** Of one attempt. */
export class RunFigures {
  readonly graph: JobGraph;
  readonly #expected: ReadonlyMap<string, number>;
  readonly #rows = new Map<string, Row>();

  /** `expected`: records that sources will read in this attempt, by vertex id, where known. */
  constructor(graph: JobGraph, expected: ReadonlyMap<string, number>) {
    this.graph = graph;
    this.#expected = expected;
  }

  /** `at`: ms of any clock that does not go back. */
  add(tasks: readonly TaskMetrics[], at: number): void {
    for (const metrics of tasks) {
      const key = `${metrics.vertexId}:${metrics.subtask}`;
      this.#rows.set(key, rowAfter(this.#rows.get(key), metrics, at));
    }
  }

  vertices(): VertexFigures[] {
    return this.graph.vertices.map((vertex) => {
      const rows = this.#rowsOf(vertex.id);
      return {
        name: vertex.name,
        isSource: vertex.inputs.length === 0,
        records: sum(rows.map((row) => row.metrics.recordsIn[0] ?? 0)),
        recordsPerSecond: sum(rows.map((row) => row.recordsPerSecond)),
        watermark: rows.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...rows.map((row) => row.metrics.watermark)),
        busy: Math.max(0, ...rows.map((row) => row.busy)),
        backPressured: Math.max(0, ...rows.map((row) => row.backPressured)),
      };
    });
  }

  /** Undefined where some source does not know how much it will read, or nothing has been read yet. */
  input(): InputProgress | undefined {
    const sources = this.graph.vertices.filter((vertex) => vertex.inputs.length === 0);
    const total = sum(sources.map(({ id }) => this.#expected.get(id) ?? Number.NaN));
    const rows = sources.flatMap(({ id }) => this.#rowsOf(id));
    const read = sum(rows.map((row) => row.metrics.recordsIn[0] ?? 0));
    const rate = sum(rows.map((row) => row.recordsPerSecond));
    if (!Number.isFinite(total) || total === 0 || read === 0) return undefined;
    const left = Math.max(0, total - read);
    return { share: Math.min(1, read / total), secondsLeft: left === 0 ? 0 : left / rate };
  }

  /** Records that no result shows. */
  losses(): { readonly late: number; readonly skipped: number } {
    const rows = [...this.#rows.values()];
    return { late: sum(rows.map((row) => row.metrics.lateRecordsDropped)), skipped: sum(rows.map((row) => row.metrics.recordsInErrors)) };
  }

  recordsRead(): number {
    return sum(this.vertices().map((vertex) => (vertex.isSource ? vertex.records : 0)));
  }

  #rowsOf(vertexId: string): Row[] {
    return [...this.#rows.values()].filter((row) => row.metrics.vertexId === vertexId);
  }
}

function rowAfter(before: Row | undefined, metrics: TaskMetrics, at: number): Row {
  if (before === undefined) return { metrics, base: metrics, at, recordsPerSecond: 0, busy: 0, backPressured: 0 };
  const elapsed = at - before.at;
  // Reports that come together tell no rate.
  if (elapsed < 50) return { ...before, metrics };
  const { base } = before;
  const rate = (((metrics.recordsIn[0] ?? 0) - (base.recordsIn[0] ?? 0)) / elapsed) * 1000;
  return {
    metrics,
    base: metrics,
    at,
    recordsPerSecond: before.recordsPerSecond === 0 ? rate : before.recordsPerSecond + SMOOTHING * (rate - before.recordsPerSecond),
    busy: share(metrics.busyMs - base.busyMs, elapsed),
    backPressured: share(metrics.backPressuredMs - base.backPressuredMs, elapsed),
  };
}

function share(part: number, whole: number): number {
  return Math.min(1, Math.max(0, part / whole));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
