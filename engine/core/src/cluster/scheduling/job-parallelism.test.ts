import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobGraph } from '../../plan/job-graph.js';
import type { ResourceRequirements } from '../gateway/job-info.js';
import { placeSubtasks } from '../placement.js';
import { pipeline } from './job-graph-sketch.test.support.js';
import { desiredGraph, graphForSlots, isWithinBounds, slotDemand } from './job-parallelism.js';

function bounds(...pairs: readonly (readonly [number, number])[]): ResourceRequirements {
  return Object.fromEntries(
    pairs.map(([lowerBound, upperBound], index) => [String.fromCharCode(97 + index), { parallelism: { lowerBound, upperBound } }]),
  );
}

function parallelism(graph: JobGraph | undefined): number[] | undefined {
  return graph?.vertices.map((vertex) => vertex.parallelism);
}

describe('the parallelism for so many slots', () => {
  it('is what vertices that share slots can have, each within its bounds', () => {
    const graph = pipeline({ parallelism: 4 }, { parallelism: 2 });
    const requirements = bounds([1, 4], [1, 2]);
    expect([0, 1, 2, 3, 4, 9].map((slots) => parallelism(graphForSlots(graph, requirements, slots)))).toEqual([
      undefined,
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 2],
      [4, 2],
    ]);
  });

  it('gives each group its lower bounds first, and what one cannot use to the others', () => {
    const graph = pipeline({ parallelism: 1, group: 'x' }, { parallelism: 1, group: 'y' });
    const requirements = bounds([2, 3], [1, 8]);
    expect([2, 3, 4, 5, 6, 11].map((slots) => parallelism(graphForSlots(graph, requirements, slots)))).toEqual([
      undefined,
      [2, 1],
      [2, 2],
      [3, 2],
      [3, 3],
      [3, 8],
    ]);
    expect(slotDemand(graph, requirements)).toEqual({ least: 3, most: 11 });
  });

  it('keeps vertices equal that a forward edge connects, also in different groups', () => {
    const graph = pipeline({ parallelism: 4, group: 'x' }, { parallelism: 4, group: 'y', partitioning: 'forward' });
    expect(parallelism(graphForSlots(graph, bounds([1, 4], [1, 3]), 5))).toEqual([2, 2]);
    expect(() => slotDemand(graph, bounds([3, 4], [1, 2]))).toThrow(/need the same number of subtasks/);
  });

  it('has no more subtasks than key groups', () => {
    const graph = pipeline({ parallelism: 1, maxParallelism: 3 });
    expect(parallelism(desiredGraph(graph, bounds([1, 100])))).toEqual([3]);
  });

  it('keeps its invariants for any job', () => {
    const vertex = fc.record({
      lowerBound: fc.integer({ min: 1, max: 5 }),
      range: fc.integer({ min: 0, max: 6 }),
      group: fc.constantFrom('x', 'y', 'z'),
      partitioning: fc.constantFrom('forward' as const, 'hash' as const),
    });
    let given = 0;
    fc.assert(
      fc.property(fc.array(vertex, { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 40 }), (sketch, slots) => {
        const graph = pipeline(...sketch.map(({ group, partitioning }) => ({ parallelism: 1, group, partitioning })));
        const requirements = bounds(...sketch.map(({ lowerBound, range }) => [lowerBound, lowerBound + range] as const));
        let demand: ReturnType<typeof slotDemand>;
        try {
          demand = slotDemand(graph, requirements);
        } catch {
          return;
        }
        const target = graphForSlots(graph, requirements, slots);
        expect(target === undefined).toBe(slots < demand.least);
        if (target === undefined) return;
        given++;
        expect(isWithinBounds(target, requirements)).toBe(true);
        expect(placeSubtasks(target).slots).toBeLessThanOrEqual(slots);
        if (slots >= demand.most) expect(target).toEqual(desiredGraph(graph, requirements));
        const byId = new Map(target.vertices.map((each) => [each.id, each.parallelism]));
        for (const edge of target.edges) {
          if (edge.partitioning === 'forward') expect(byId.get(edge.fromVertex)).toBe(byId.get(edge.toVertex));
        }
      }),
      { seed: 20, numRuns: 500 },
    );
    // Bounds that contradict each other, and too few slots, are the others.
    expect(given).toBeGreaterThan(100);
  });
});
