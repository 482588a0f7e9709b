/** Figures of a process, for its metrics: memory of the whole, and the heaps of its threads. */
import { getHeapStatistics } from 'node:v8';
import { SlotThread } from './slot-thread.js';

/** By name; bytes, but for `cpuTimeMs`. Heaps are those of the main thread and of all slot threads together. */
export type ProcessFigures = Readonly<Record<string, number>>;

/** Measures this process. Resolves when its threads have answered. */
export async function measureProcess(): Promise<ProcessFigures> {
  const heaps = [getHeapStatistics(), ...(await SlotThread.heapStatistics())];
  const sum = (field: 'used_heap_size' | 'total_heap_size' | 'heap_size_limit'): number =>
    heaps.reduce((total, heap) => total + heap[field], 0);
  const { user, system } = process.cpuUsage();
  return {
    heapUsed: sum('used_heap_size'),
    heapCommitted: sum('total_heap_size'),
    heapMax: sum('heap_size_limit'),
    rss: process.memoryUsage.rss(),
    cpuTimeMs: Math.round((user + system) / 1000),
    threads: heaps.length,
  };
}
