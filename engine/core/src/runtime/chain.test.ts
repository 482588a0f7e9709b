/** The generated chain and its interpreted twin: the same on random chains, inputs, stops and failures, and both as a plain model says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChainDraft, type Compile, type Kind, type Policy, Rig, type StepDraft } from './chain.test.support.js';
import { generateChain } from './chain-generator.js';
import { interpretChain } from './chain-interpreter.js';

const arbitraryStep: fc.Arbitrary<StepDraft> = fc.record({
  kind: fc.constantFrom<Kind>('map', 'filter', 'flatMap', 'operator', 'write'),
  parent: fc.nat(5),
  fromSide: fc.boolean(),
  policy: fc.constantFrom<Policy>('none', 'skip', 'side'),
  throwsAt: fc.constantFrom(0, 0, 0, 7, 11, 29),
  promiseAt: fc.constantFrom(0, 0, 0, 31),
  edges: fc.nat(2),
  sideEdge: fc.boolean(),
});

const arbitraryChain: fc.Arbitrary<ChainDraft> = fc.record({
  source: fc.boolean(),
  assign: fc.boolean(),
  onEvent: fc.boolean(),
  checked: fc.boolean(),
  headEdges: fc.nat(1),
  headKind: fc.constantFrom<Kind>('map', 'filter', 'flatMap', 'operator'),
  steps: fc.array(arbitraryStep, { maxLength: 6 }),
  stops: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 4 }),
  edgeThrowsAt: fc.constantFrom(0, 0, 0, 37),
});

const arbitraryValues = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 20 });
const TWINS: readonly [string, Compile][] = [
  ['generated', generateChain],
  ['interpreted', interpretChain],
];

describe('chain', () => {
  it('does the same generated and interpreted', () => {
    fc.assert(
      fc.property(
        arbitraryChain,
        arbitraryValues,
        fc.constantFrom('batch' as const, 'generated' as const),
        fc.boolean(),
        (draft, values, how, second) => {
          const input = second && !draft.source && draft.headKind === 'operator' ? 1 : 0;
          const generated = new Rig(draft, generateChain).run(values, how, input);
          expect(new Rig(draft, interpretChain).run(values, how, input)).toEqual(generated);
          expect(generated.log.filter((line) => line.startsWith('not a chain failure'))).toEqual([]);
        },
      ),
      { numRuns: 1500, seed: 1 },
    );
  });

  it('loses and repeats nothing at stops, wherever they are', () => {
    fc.assert(
      fc.property(arbitraryChain, arbitraryValues, (draft, values) => {
        const outputs = (stops: readonly number[]): string[] =>
          new Rig({ ...draft, stops }, generateChain).run(values, 'batch', 0).log.filter((line) => !line.startsWith('at '));
        expect(outputs(draft.stops)).toEqual(outputs([]));
      }),
      { numRuns: 500, seed: 2 },
    );
  });
});

const PLAIN: ChainDraft = {
  source: false,
  assign: false,
  onEvent: false,
  checked: false,
  headEdges: 1,
  headKind: 'map',
  steps: [],
  stops: [],
  edgeThrowsAt: 0,
};
const STEP: StepDraft = { kind: 'map', parent: 0, fromSide: false, policy: 'none', throwsAt: 0, promiseAt: 0, edges: 1, sideEdge: false };

describe.each(TWINS)('the %s chain', (_, compile) => {
  it('hands each record to all consumers, operators before edges', () => {
    const draft = { ...PLAIN, steps: [STEP, { ...STEP, kind: 'filter' as const }, { ...STEP, kind: 'write' as const }] };
    // The head adds 1: 5 → 6, 6 → 7. The map makes 7 and 8, the filter drops 6.
    expect(new Rig(draft, compile).run([5, 6], 'batch', 0)).toEqual({
      log: ['1/0 7 @500', 'sink 3 6 @500', '0/0 6 @500', '1/0 8 @600', '2/0 7 @600', 'sink 3 7 @600', '0/0 7 @600', 'at 2'],
      recordsIn: [2, 2, 2, 2],
      maxTimestamp: Number.NEGATIVE_INFINITY,
    });
  });

  it('stops after the record whose output said so', () => {
    const { log } = new Rig({ ...PLAIN, stops: [2] }, compile).run([1, 2, 3], 'batch', 0);
    expect(log).toEqual(['0/0 2 @100', '0/0 3 @200', 'at 2', '0/0 4 @300', 'at 3']);
  });

  it('names the step and the record that failed', () => {
    const draft = { ...PLAIN, steps: [STEP, { ...STEP, parent: 1, throwsAt: 7 }] };
    const { log, recordsIn } = new Rig(draft, compile).run([1, 2, 5, 9], 'batch', 0);
    expect(log.at(-1)).toBe('failed in step 2 at 2: step 2 7');
    expect(recordsIn).toEqual([3, 3, 3]);
  });

  it('names the record whose generation failed', () => {
    const { log } = new Rig({ ...PLAIN, source: true }, compile).run([1, 2, 41, 3], 'generated', 0);
    expect(log.at(-1)).toBe('failed in step 0 at 4: generate 41');
  });

  it('fails for a promise even where errors are skipped', () => {
    const draft = { ...PLAIN, headEdges: 0, steps: [{ ...STEP, policy: 'skip' as const, promiseAt: 3 }] };
    expect(new Rig(draft, compile).run([1, 2], 'batch', 0).log).toEqual(['1/0 3 @100', 'failed in step 1 at 1: promise returned']);
  });

  it('skips records, or sends them to the side output with their timestamp', () => {
    const failing = { ...STEP, kind: 'operator' as const, throwsAt: 3, sideEdge: true };
    expect(new Rig({ ...PLAIN, headEdges: 0, steps: [{ ...failing, policy: 'skip' }] }, compile).run([2, 3], 'batch', 0).log).toEqual([
      '1/0 5 @201',
      'handled 1 3',
      '1/0 6 @301',
      '1:side/0 4 @300',
      'at 2',
    ]);
    const { log } = new Rig({ ...PLAIN, headEdges: 0, steps: [{ ...failing, policy: 'side' }] }, compile).run([2], 'batch', 0);
    expect(log).toEqual(['1/0 5 @201', 'handled 1 3', '1:side/0 3 @200', 'at 1']);
  });

  it('drops what a function emitted before it threw', () => {
    const failing = { ...STEP, kind: 'flatMap' as const, throwsAt: 8 };
    // The head adds 1. 5 makes 5 and 6; 8 would make 8 and 9.
    const withPolicy = new Rig({ ...PLAIN, headEdges: 0, steps: [{ ...failing, policy: 'side', sideEdge: true }] }, compile);
    expect(withPolicy.run([4, 7, 4], 'batch', 0).log).toEqual([
      '1/0 5 @400',
      '1/0 6 @400',
      'handled 1 8',
      '1:side/0 8 @700',
      '1/0 5 @400',
      '1/0 6 @400',
      'at 3',
    ]);
    const { log } = new Rig({ ...PLAIN, headEdges: 0, steps: [failing] }, compile).run([7], 'batch', 0);
    expect(log).toEqual(['1/0 8 @700', '1/0 9 @700', 'failed in step 1 at 0: step 1 8']);
  });

  it('keeps the largest timestamp, and asks the generator before the record goes on', () => {
    const draft = { ...PLAIN, source: true, assign: true, onEvent: true };
    const { log, maxTimestamp } = new Rig(draft, compile).run([3, 1], 'batch', 0);
    expect(log).toEqual(['event 3 @30 max 30', '0/0 3 @30', 'event 1 @10 max 30', '0/0 1 @10', 'at 2']);
    expect(maxTimestamp).toBe(30);
  });

  it('checks every emission', () => {
    const draft = { ...PLAIN, source: true, checked: true, steps: [{ ...STEP, kind: 'operator' as const, sideEdge: true }] };
    const { log } = new Rig(draft, compile).run([1], 'batch', 0);
    expect(log).toEqual(['check 1', 'check 3', '1/0 3 @101', 'check 1', '1:side/0 1 @100', '0/0 1 @100', 'at 1']);
  });
});
