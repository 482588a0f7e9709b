import { describe, expect, it } from 'vitest';
import { ClassRegistry } from '../codec/class-registry.js';
import type { OperatorImplementation } from '../operators/operator.js';
import { buildPlan, type JobDescription } from './build-plan.js';
import { createDraft, type NodeDraft, type NodeSpecification } from './draft.js';
import { explainPlan } from './explain.js';
import { edgeKey, type Plan } from './plan.js';
import { firstDifference, requireSamePlan } from './plan-difference.js';
import { statefulNodesWithoutUid } from './validate-plan.js';

const source = { type: 'source' } as unknown as OperatorImplementation;
const mapping: OperatorImplementation = { type: 'map', fn: (value) => value };

function node(kind: string, inputs: NodeDraft[], more: Partial<NodeSpecification> = {}): NodeDraft {
  const edges = inputs.map((from) => ({
    from,
    input: 0 as const,
    sideOutput: undefined,
    partitioning: undefined,
    schema: undefined,
    functions: undefined,
  }));
  return createDraft({ kind, inputs: edges, implementation: kind === 'source' ? source : mapping, ...more });
}

function build(drafts: NodeDraft[], more: Partial<JobDescription> = {}) {
  return buildPlan({ jobName: 'test', drafts, parameters: {}, options: {}, ...more });
}

function pipeline(settings: { parallelism?: number; uid?: string } = {}): NodeDraft[] {
  const first = node('source', [], { name: 'numbers' });
  const second = node('map', [first]);
  second.parallelism = settings.parallelism;
  second.uid = settings.uid;
  return [first, second, node('sink', [second])];
}

const idsOf = (plan: Plan) => plan.nodes.map((planNode) => planNode.id);

describe('node ids', () => {
  it('come from the uid, else from structure', () => {
    const { plan } = build(pipeline({ uid: 'twice' }));
    expect(plan.nodes[1]?.id).toBe('uid:twice');
    expect(plan.nodes[0]?.id).toMatch(/^auto:[0-9a-f]{16}$/);
  });

  it('do not change when another branch is added before', () => {
    const before = build(pipeline()).plan;
    const other = node('source', [], { name: 'letters' });
    const after = build([other, node('map', [other]), ...pipeline()]).plan;
    expect(idsOf(after).slice(2)).toEqual(idsOf(before));
  });

  it('differ for equal operators on one input', () => {
    const first = node('source', []);
    const { plan } = build([first, node('map', [first]), node('map', [first])]);
    expect(new Set(idsOf(plan)).size).toBe(3);
  });

  it('do not depend on parallelism', () => {
    expect(idsOf(build(pipeline({ parallelism: 4 })).plan)).toEqual(idsOf(build(pipeline()).plan));
  });

  it('that are equal are refused, naming both operators', () => {
    const first = node('source', [], { name: 'numbers' });
    const second = node('map', [first], { name: 'double' });
    first.uid = 'a';
    second.uid = 'a';
    expect(() => build([first, second])).toThrow(/uid "a" to operator "double": operator "numbers" has it already/);
  });
});

describe('a plan', () => {
  it('is frozen through and through', () => {
    const drafts = pipeline();
    const options = { list: [1] };
    const { plan } = build([...drafts, node('map', [drafts[0] as NodeDraft], { config: { options } })]);
    expect(Object.isFrozen(plan)).toBe(true);
    expect(Object.isFrozen(plan.nodes)).toBe(true);
    expect(plan.nodes.every((planNode) => Object.isFrozen(planNode) && Object.isFrozen(planNode.inputs))).toBe(true);
    expect(Object.isFrozen((plan.nodes[3]?.config.options as { list: unknown } | undefined)?.list)).toBe(true);
  });

  it('keeps functions beside it, by node and edge', () => {
    const first = node('source', []);
    const keySelector = (value: unknown) => value as string;
    const edge = { from: first, sideOutput: undefined, schema: undefined, input: 0 } as const;
    const keyed = createDraft({
      kind: 'keyed-process',
      keyed: true,
      inputs: [{ ...edge, partitioning: 'hash', functions: { keySelector } }],
      implementation: { type: 'map', fn: () => 1 },
    });
    keyed.onError = { type: 'skip' };
    const program = build([first, keyed]);
    const id = program.plan.nodes[1]?.id as string;
    expect(program.edgeFunctions.get(edgeKey(id, 0))?.keySelector).toBe(keySelector);
    expect(program.implementations.get(id)).toMatchObject({ type: 'map', onError: { type: 'skip' } });
    expect(program.plan.nodes[1]?.config.onError).toEqual({ type: 'skip' });
  });

  it('is refused when empty, without inputs, without key, after a sink, or with functions in its configuration', () => {
    const first = node('source', []);
    const sink = node('sink', [first]);
    expect(() => build([])).toThrow(/no operators/);
    expect(() => build([node('map', [])])).toThrow(/first input has no stream/);
    expect(() => build([first, node('process', [first], { keyed: true })])).toThrow(/call keyBy first/);
    expect(() => build([first, sink, node('map', [sink])])).toThrow(/is a sink/);
    expect(() => build([first, node('map', [first], { config: { fn: (() => 1) as never } })])).toThrow(/plain data only/);
    expect(() => build([node('map', [node('source', [])])])).toThrow(/another environment/);
  });

  it('lists stateful operators without uid', () => {
    const first = node('source', [], { stateful: true });
    const second = node('source', [], { stateful: true });
    second.uid = 'second';
    expect(statefulNodesWithoutUid(build([first, second, node('map', [first])])).map((found) => found.kind)).toEqual(['source']);
  });
});

describe('the structural hash', () => {
  it('is the same for the same program', () => {
    expect(build(pipeline()).plan.structuralHash).toBe(build(pipeline()).plan.structuralHash);
    expect(build(pipeline()).plan.structuralHash).toMatch(/^[0-9a-f]{16}$/);
  });

  it('covers nodes and parameters, not options', () => {
    const hash = build(pipeline()).plan.structuralHash;
    expect(build(pipeline({ parallelism: 3 })).plan.structuralHash).not.toBe(hash);
    expect(build(pipeline(), { parameters: { day: '1' } }).plan.structuralHash).not.toBe(hash);
    expect(build(pipeline(), { options: { 'parallelism.default': 2 } }).plan.structuralHash).toBe(hash);
  });

  it('covers the names of registered classes, in any order', () => {
    const registered = (...names: string[]): ClassRegistry => {
      const classes = new ClassRegistry();
      for (const name of names) classes.registerClass(name, class {}, { encode: () => 0, decode: () => ({}) });
      return classes;
    };
    const plain = build(pipeline()).plan;
    expect(build(pipeline(), { classes: registered() })).toMatchObject({ plan: plain, classes: undefined });
    expect(explainPlan(plain)).not.toContain('classes');
    const { plan } = build(pipeline(), { classes: registered('B', 'A') });
    expect(plan.classes).toEqual(['A', 'B']);
    expect(explainPlan(plan)).toContain('Registered classes: A, B\n');
    expect(build(pipeline(), { classes: registered('A', 'B') }).plan).toEqual(plan);
    expect(firstDifference(plan, plain)).toBe('its registered classes are [] instead of ["A","B"]');
    expect(firstDifference(plain, build(pipeline(), { classes: registered('A') }).plan)).toMatch(/\["A"\] instead of \[\]/);
  });

  it('that differs is explained by the first node that does', () => {
    const expected = build(pipeline()).plan;
    expect(firstDifference(expected, build(pipeline()).plan)).toBeUndefined();
    expect(firstDifference(expected, build(pipeline({ parallelism: 3 })).plan)).toMatch(/"map" .* parallelism 3 instead of null/);
    expect(firstDifference(expected, build(pipeline().slice(0, 2)).plan)).toMatch(/"sink" .* is missing/);
    expect(firstDifference(expected, build([...pipeline(), node('source', [], { name: 'extra' })]).plan)).toMatch(/"extra" .* is new/);
    expect(firstDifference(expected, build(pipeline(), { parameters: { a: 'b' } }).plan)).toMatch(/parameters are \{"a":"b"\}/);
  });

  it('that differs ends a deployment', () => {
    const found = build(pipeline({ uid: 'new' })).plan;
    expect(() => requireSamePlan(build(pipeline()).plan, found)).toThrow(expect.objectContaining({ code: 'GRAPH_DIFFERS' }));
    expect(() => requireSamePlan(found, found)).not.toThrow();
  });
});
