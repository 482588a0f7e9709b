import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countFreeSlots, matchSlots, type SlotOffer, type SlotSpread, type SlotWish } from './match-slots.js';
import type { ResourceProfile } from './resource-profile.js';

const GB = 1e9;

function offer(id: string, slots: number, total: ResourceProfile = { cpuCores: slots, heapBytes: slots * GB }): SlotOffer {
  return { id, slots, total, freeSlots: slots, free: total };
}

function wishes(count: number, profile?: ResourceProfile): SlotWish[] {
  return Array.from({ length: count }, () => ({ profile, formerHost: undefined }));
}

describe('matching slots with TaskManagers', () => {
  it('fills the fullest, spreads over the emptiest, or takes as few as possible', () => {
    const offers = [offer('a', 1), offer('b', 2), offer('c', 3)];
    expect(matchSlots(wishes(3), offers, 'fill')).toEqual(['a', 'b', 'b']);
    expect(matchSlots(wishes(3), offers, 'spread')).toEqual(['b', 'c', 'c']);
    expect(matchSlots(wishes(3), offers, 'pack')).toEqual(['c', 'c', 'c']);
    expect(matchSlots(wishes(7), offers, 'fill')).toBeUndefined();
  });

  it('gives a slot back to the TaskManager that had it', () => {
    const before = (...hosts: readonly string[]): SlotWish[] => hosts.map((formerHost) => ({ profile: undefined, formerHost }));
    const offers = [offer('a', 2), offer('b', 1), offer('c', 1)];
    expect(matchSlots(before('c', 'a', 'gone', 'a'), offers, 'fill')).toEqual(['c', 'a', 'b', 'a']);
  });

  it('moves a slot that would be in the way of a larger one where it was before', () => {
    const small = { profile: { cpuCores: 1, heapBytes: GB }, formerHost: 'a' };
    const large = { profile: { cpuCores: 1, heapBytes: 4 * GB }, formerHost: 'gone' };
    const offers = [offer('a', 2, { cpuCores: 2, heapBytes: 4 * GB }), offer('b', 2)];
    for (const spread of ['fill', 'spread', 'pack'] as const) expect(matchSlots([small, large], offers, spread)).toEqual(['b', 'a']);
    expect(matchSlots([small, small], offers, 'fill')).toEqual(['a', 'a']);
    expect(matchSlots([small, large, large], offers, 'fill')).toBeUndefined();
  });

  it('finds room for profiles, the large ones first', () => {
    const large = { cpuCores: 3, heapBytes: 3 * GB };
    const offers = [offer('a', 4), offer('b', 4)];
    const mixed = [...wishes(2), ...wishes(2, large)];
    expect(matchSlots(mixed, offers, 'fill')).toEqual(['a', 'b', 'a', 'b']);
    expect(matchSlots([...mixed, ...wishes(1)], offers, 'fill')).toBeUndefined();
    expect(matchSlots(wishes(1, { cpuCores: 5, heapBytes: 1 }), offers, 'fill')).toBeUndefined();
  });

  it('never gives more than there is, and is found again by counting', () => {
    const profile = fc.option(fc.record({ cpuCores: fc.integer({ min: 1, max: 3 }), heapBytes: fc.integer({ min: 1, max: 3 }) }), {
      nil: undefined,
    });
    const offers = fc.array(fc.record({ slots: fc.integer({ min: 1, max: 4 }), heap: fc.integer({ min: 4, max: 12 }) }), { maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(profile, { maxLength: 8 }),
        offers,
        fc.constantFrom<SlotSpread>('fill', 'spread', 'pack'),
        (profiles, sizes, spread) => {
          const given = sizes.map(({ slots, heap }, index) => offer(`tm-${index}`, slots, { cpuCores: slots, heapBytes: heap }));
          const placed = matchSlots(
            profiles.map((each) => ({ profile: each, formerHost: 'tm-0' })),
            given,
            spread,
          );
          const free = countFreeSlots(given);
          expect(free).toBe(sizes.reduce((sum, { slots }) => sum + slots, 0));
          if (profiles.every((each) => each === undefined)) expect(placed !== undefined).toBe(profiles.length <= free);
          for (const { id, slots, total } of placed === undefined ? [] : given) {
            const own = profiles.filter((_, slot) => placed?.[slot] === id);
            expect(own.length).toBeLessThanOrEqual(slots);
            const taken = own.map((each) => each ?? { cpuCores: 1, heapBytes: Math.floor(total.heapBytes / slots) });
            expect(taken.reduce((sum, { cpuCores }) => sum + cpuCores, 0)).toBeLessThanOrEqual(total.cpuCores);
            expect(taken.reduce((sum, { heapBytes }) => sum + heapBytes, 0)).toBeLessThanOrEqual(total.heapBytes);
          }
        },
      ),
      { seed: 21, numRuns: 500 },
    );
  });
});
