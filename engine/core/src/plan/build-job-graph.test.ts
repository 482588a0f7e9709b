import { describe, expect, it } from 'vitest';
import type { OperatorImplementation } from '../operators/operator.js';
import { buildJobGraph, type JobGraphSettings } from './build-job-graph.js';
import { buildPlan } from './build-plan.js';
import { createDraft, type EdgeDraft, type NodeDraft } from './draft.js';
import { explainJobGraph, explainPlan } from './explain.js';
import type { Partitioning } from './plan.js';

const implementation = { type: 'map', fn: (value: unknown) => value } as OperatorImplementation;

/** Builds small plans: `add` makes a node named `name` that reads `inputs`. */
class Sketch {
  readonly drafts: NodeDraft[] = [];

  add(name: string, inputs: (NodeDraft | Partial<EdgeDraft>)[] = [], settings: Partial<NodeDraft> = {}): NodeDraft {
    const edges = inputs.map((input) => edge('kind' in input ? { from: input } : (input as Partial<EdgeDraft>)));
    const draft = createDraft({ kind: inputs.length === 0 ? 'source' : 'map', name, inputs: edges, implementation });
    Object.assign(draft, settings);
    this.drafts.push(draft);
    return draft;
  }

  plan(options: Record<string, string | number | boolean> = {}) {
    return buildPlan({ jobName: 'test', drafts: this.drafts, parameters: {}, options }).plan;
  }

  graph(settings: Partial<JobGraphSettings> = {}) {
    return buildJobGraph(this.plan(), settings);
  }

  vertexNames(settings: Partial<JobGraphSettings> = {}): string[] {
    return this.graph(settings).vertices.map((vertex) => vertex.name);
  }
}

function edge(part: Partial<EdgeDraft>): EdgeDraft {
  const functions = { keySelector: (value: unknown) => value as string, partition: () => 0 };
  return { sideOutput: undefined, partitioning: undefined, input: 0, schema: undefined, functions, ...part } as EdgeDraft;
}

function partitionedPair(partitioning: Partitioning | undefined): Sketch {
  const sketch = new Sketch();
  const first = sketch.add('a');
  sketch.add('b', [{ from: first, partitioning }]);
  return sketch;
}

describe('chaining', () => {
  it('fuses forward edges', () => {
    expect(partitionedPair(undefined).vertexNames()).toEqual(['Source: a -> b']);
    expect(partitionedPair('forward').vertexNames()).toEqual(['Source: a -> b']);
  });

  it.each(['hash', 'rebalance', 'rescale', 'shuffle', 'broadcast', 'global', 'custom'] as const)('breaks at %s', (partitioning) => {
    const graph = partitionedPair(partitioning).graph();
    expect(graph.vertices.map((vertex) => vertex.name)).toEqual(['Source: a', 'b']);
    expect(graph.edges).toMatchObject([{ partitioning, fromOperator: 0, input: 0, bufferTimeoutMs: 100 }]);
  });

  it('builds trees', () => {
    const sketch = new Sketch();
    const a = sketch.add('a');
    const b = sketch.add('b', [a]);
    sketch.add('c', [{ from: a, sideOutput: 'late' }]);
    sketch.add('d', [b]);
    const [vertex, ...others] = sketch.graph().vertices;
    expect(others).toEqual([]);
    expect(vertex?.name).toBe('Source: a -> (b -> d, c)');
    expect(vertex?.chain.map((member) => [member.node.name, member.parent, member.sideOutput])).toEqual([
      ['a', -1, undefined],
      ['b', 0, undefined],
      ['c', 0, 'late'],
      ['d', 1, undefined],
    ]);
  });

  it('breaks at a union and at a second input', () => {
    const union = new Sketch();
    const a = union.add('a');
    union.add('u', [a, union.add('b')]);
    expect(union.vertexNames()).toEqual(['Source: a', 'Source: b', 'u']);
    expect(union.graph().vertices[2]?.inputs.map((input) => input.fromVertex)).toEqual([
      union.plan().nodes[0]?.id,
      union.plan().nodes[1]?.id,
    ]);

    const connected = new Sketch();
    const left = connected.add('l');
    connected.add('c', [left, { from: connected.add('r'), input: 1 }]);
    expect(connected.graph().vertices[2]?.inputs.map((input) => input.input)).toEqual([0, 1]);
  });

  it('obeys disableChaining, startNewChain and the global switch', () => {
    const sketch = new Sketch();
    const a = sketch.add('a');
    const b = sketch.add('b', [a], { chaining: 'head' });
    const c = sketch.add('c', [b]);
    const d = sketch.add('d', [c], { chaining: 'never' });
    sketch.add('e', [d]);
    expect(sketch.vertexNames()).toEqual(['Source: a', 'b -> c', 'd', 'e']);
    expect(sketch.vertexNames({ chainingEnabled: false })).toEqual(['Source: a', 'b', 'c', 'd', 'e']);
  });

  it('breaks between slot sharing groups, which consumers inherit where inputs agree', () => {
    const sketch = new Sketch();
    const a = sketch.add('a');
    const b = sketch.add('b', [a], { slotSharingGroup: 'heavy' });
    const c = sketch.add('c', [b]);
    sketch.add('d', [a, c]);
    expect(sketch.graph().vertices.map((vertex) => [vertex.name, vertex.slotSharingGroup])).toEqual([
      ['Source: a', 'default'],
      ['b -> c', 'heavy'],
      ['d', 'default'],
    ]);
  });
});

describe('parallelism', () => {
  it('that differs makes a rebalance of an edge without partitioning', () => {
    const sketch = new Sketch();
    sketch.add('b', [sketch.add('a', [], { parallelism: 1 })]);
    const graph = sketch.graph({ defaultParallelism: 4 });
    expect(graph.edges).toMatchObject([{ partitioning: 'rebalance' }]);
    expect(graph.vertices.map((vertex) => vertex.parallelism)).toEqual([1, 4]);
  });

  it('that differs is refused on a forward edge', () => {
    const sketch = new Sketch();
    sketch.add('b', [{ from: sketch.add('a', [], { parallelism: 1 }), partitioning: 'forward' }]);
    expect(() => sketch.graph({ defaultParallelism: 4 })).toThrow(/"a" \(parallelism 1\) forward to "b" \(parallelism 4\)/);
  });

  it('has Flink’s default maximum', () => {
    const maximum = (parallelism: number) => partitionedPair('hash').graph({ defaultParallelism: parallelism }).vertices[0]?.maxParallelism;
    expect([1, 85, 86, 128, 200, 20000].map(maximum)).toEqual([128, 128, 256, 256, 512, 32768]);
  });

  it('has a maximum of its own, of the job, or none below it', () => {
    const sketch = partitionedPair('hash');
    (sketch.drafts[1] as NodeDraft).maxParallelism = 16;
    const settings = { defaultMaxParallelism: 64 };
    expect(sketch.graph(settings).vertices.map((vertex) => vertex.maxParallelism)).toEqual([64, 16]);
    expect(() => sketch.graph({ ...settings, defaultParallelism: 17 })).toThrow(/"b" at parallelism 17: its maximum parallelism is 16/);
  });

  it('comes from the plan’s options', () => {
    const options = { 'parallelism.default': 3, 'pipeline.max-parallelism': 30, 'execution.buffer-timeout.interval': 5 };
    const graph = buildJobGraph(partitionedPair('hash').plan(options));
    expect(graph.vertices.map((vertex) => [vertex.parallelism, vertex.maxParallelism])).toEqual([
      [3, 30],
      [3, 30],
    ]);
    expect(graph.edges[0]?.bufferTimeoutMs).toBe(5);
  });
});

describe('edges', () => {
  it('have the producer’s buffer timeout and name the operator in its chain', () => {
    const sketch = new Sketch();
    const a = sketch.add('a');
    const b = sketch.add('b', [a], { bufferTimeoutMs: 7 });
    sketch.add('c', [{ from: b, partitioning: 'hash', sideOutput: 'x' }]);
    const graph = sketch.graph();
    const [first, second] = graph.vertices;
    expect(graph.edges).toEqual([
      {
        id: `${second?.id}#0`,
        fromVertex: first?.id,
        fromOperator: 1,
        sideOutput: 'x',
        toVertex: second?.id,
        input: 0,
        partitioning: 'hash',
        bufferTimeoutMs: 7,
        schema: undefined,
      },
    ]);
    expect(first?.outputs).toEqual(graph.edges);
    expect(second?.inputs).toEqual(graph.edges);
  });
});

describe('explain', () => {
  function flights(): Sketch {
    const sketch = new Sketch();
    const a = sketch.add('flights', [], { uid: 'flights', stateful: true } as Partial<NodeDraft>);
    const b = sketch.add('parse', [a], { chaining: 'head', parallelism: 1 });
    sketch.add('count', [{ from: b, partitioning: 'hash', sideOutput: 'late' }], {
      maxParallelism: 8,
      slotSharingGroup: 'g',
      bufferTimeoutMs: -1,
    });
    return sketch;
  }

  it('prints the plan', () => {
    const text = explainPlan(flights().plan({ 'parallelism.default': 1 })).replaceAll(/[0-9a-f]{16}/g, 'HASH');
    expect(text).toBe(
      [
        'Plan of "test": 3 operators, structural hash HASH',
        '(1) Source: flights  [source, uid flights, state]',
        '(2) parse  [map, auto:HASH, parallelism 1, starts a chain]',
        '     reads (1), forward or rebalance',
        '(3) count  [map, auto:HASH, max parallelism 8, slot sharing group g, buffer timeout -1 ms]',
        '     reads (2), hash, side output late',
        'Options:',
        '     parallelism.default = 1',
        '',
      ].join('\n'),
    );
  });

  it('prints the job graph', () => {
    const text = explainJobGraph(flights().graph()).replaceAll(/[0-9a-f]{16}/g, 'HASH');
    expect(text).toBe(
      [
        'Job graph of "test": 3 vertices, 3 operators, structural hash HASH',
        '[1] Source: flights  [parallelism 1, max parallelism 128]',
        '     Source: flights  [source, uid flights, state]',
        '     Source: flights ══forward══▶ [2], buffer timeout 100 ms',
        '[2] parse  [parallelism 1, max parallelism 128]',
        '     parse  [map, auto:HASH, parallelism 1, starts a chain]',
        '     parse (side output late) ══hash══▶ [3], buffer timeout 100 ms',
        '[3] count  [parallelism 1, max parallelism 8, slot sharing group g]',
        '     count  [map, auto:HASH, max parallelism 8, slot sharing group g, buffer timeout -1 ms]',
        '',
      ].join('\n'),
    );
  });

  it('is plain data for JSON', () => {
    const graph = flights().graph();
    expect(JSON.parse(JSON.stringify(graph)).vertices).toHaveLength(3);
    expect(JSON.parse(JSON.stringify(flights().plan())).nodes).toHaveLength(3);
  });
});
