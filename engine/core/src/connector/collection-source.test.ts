import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runInterrupted, SourceRig } from '../testing/source-rig.js';
import { collectionSource } from './collection-source.js';

describe('collectionSource', () => {
  it('emits the elements in order, once, at any parallelism', async () => {
    const rig = await SourceRig.start(collectionSource(['a', 'b', 'c', 'd', 'e']), { parallelism: 3 });
    expect(await rig.drain(2)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(rig.finishedSplits).toEqual(['collection']);
  });

  it('ends at once when empty', async () => {
    const rig = await SourceRig.start(collectionSource([]));
    expect(await rig.drain()).toEqual([]);
    expect(rig.finishedSplits).toEqual(['collection']);
  });

  it('goes on exactly where a snapshot stood', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(60), stops(), async (length, interruptions) => {
        const elements = Array.from({ length }, (_, index) => index);
        expect(await runInterrupted(collectionSource(elements), interruptions)).toEqual(elements);
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});

/** Interruptions after a few polls each, at changing parallelism. */
function stops() {
  return fc.array(fc.record({ polls: fc.nat(4), parallelism: fc.integer({ min: 1, max: 5 }), limit: fc.integer({ min: 1, max: 9 }) }), {
    maxLength: 4,
  });
}
