/** What slots take, for people. */
import type { SlotResources } from './plan.js';

const MB = 2 ** 20;

/** "2 cores and 1024 MB of heap". */
export function describeResources({ cpuCores, heapBytes }: SlotResources): string {
  return `${Math.round(cpuCores * 1000) / 1000} cores and ${Math.round(heapBytes / MB)} MB of heap`;
}
