/** How many records a job will read, where its sources know. */
import type { JobProgram } from '../plan/plan.js';

/** By the id of the source's vertex, which is its operator's. */
export function expectedRecords(program: JobProgram): ReadonlyMap<string, number> {
  const expected = new Map<string, number>();
  for (const [id, implementation] of program.implementations) {
    if (implementation.type !== 'source' || implementation.source.recordCountEstimate === undefined) continue;
    expected.set(id, implementation.source.recordCountEstimate);
  }
  return expected;
}
