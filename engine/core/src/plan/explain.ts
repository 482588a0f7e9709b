/**
 * Plan and job graph as text for people, as `millstream explain` prints them. Both are plain data: JSON.stringify is their other form.
 *
 *     Job graph of "flights": 2 vertices, 5 operators
 *     [1] Source: flights -> map   parallelism 2 of 128
 *          out: map ══hash══▶ [2]
 */
import type { JobEdge, JobGraph, JobVertex } from './job-graph.js';
import type { Plan, PlanEdge, PlanNode } from './plan.js';
import { describeResources } from './slot-resources.js';
import { canonicalJson } from './structural-hash.js';
import { displayName } from './vertex-name.js';

/** The plan: each operator with its inputs, settings and configuration. */
export function explainPlan(plan: Plan): string {
  const numbers = new Map(plan.nodes.map((node, index) => [node.id, index + 1]));
  const lines = [`Plan of "${plan.jobName}": ${count(plan.nodes.length, 'operator')}, structural hash ${plan.structuralHash}`];
  for (const node of plan.nodes) {
    lines.push(`(${numbers.get(node.id)}) ${displayName(node)}${detailsOf(node)}`);
    for (const edge of node.inputs) lines.push(`     reads (${numbers.get(edge.from)})${edgeDetails(edge)}`);
  }
  if (plan.classes !== undefined) lines.push(`Registered classes: ${plan.classes.join(', ')}`);
  lines.push(...namedValues('Options', plan.options), ...namedValues('Parameters', plan.parameters));
  return `${lines.join('\n')}\n`;
}

function count(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`;
}

function detailsOf(node: PlanNode): string {
  const details = [displayName(node).startsWith(node.kind) ? undefined : node.kind, node.uid === undefined ? node.id : `uid ${node.uid}`];
  if (node.parallelism !== undefined) details.push(`parallelism ${node.parallelism}`);
  if (node.maxParallelism !== undefined) details.push(`max parallelism ${node.maxParallelism}`);
  if (node.slotSharingGroup !== undefined) details.push(`slot sharing group ${node.slotSharingGroup}`);
  if (node.chaining !== 'always') details.push(node.chaining === 'head' ? 'starts a chain' : 'not chained');
  if (node.bufferTimeoutMs !== undefined) details.push(`buffer timeout ${node.bufferTimeoutMs} ms`);
  if (node.stateful) details.push(node.keyed ? 'keyed state' : 'state');
  const config = Object.keys(node.config).length === 0 ? '' : ` ${canonicalJson(node.config)}`;
  return `  [${details.filter((detail) => detail !== undefined).join(', ')}]${config}`;
}

function edgeDetails(edge: PlanEdge): string {
  const details = [edge.partitioning ?? 'forward or rebalance'];
  if (edge.sideOutput !== undefined) details.push(`side output ${edge.sideOutput}`);
  if (edge.input === 1) details.push('second input');
  return `, ${details.join(', ')}`;
}

function namedValues(title: string, values: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(values).sort();
  return names.length === 0 ? [] : [`${title}:`, ...names.map((name) => `     ${name} = ${String(values[name])}`)];
}

/** The job graph: each vertex with its chain, and the edges between vertices. */
export function explainJobGraph(graph: JobGraph): string {
  const numbers = new Map(graph.vertices.map((vertex, index) => [vertex.id, index + 1]));
  const operators = graph.vertices.reduce((sum, vertex) => sum + vertex.chain.length, 0);
  const vertices = graph.vertices.length === 1 ? '1 vertex' : `${graph.vertices.length} vertices`;
  const lines = [`Job graph of "${graph.jobName}": ${vertices}, ${count(operators, 'operator')}, structural hash ${graph.structuralHash}`];
  for (const vertex of graph.vertices) {
    lines.push(`[${numbers.get(vertex.id)}] ${vertex.name}  [${vertexDetails(vertex, graph)}]`);
    lines.push(
      ...vertex.chain.map(
        (member) => `     ${'  '.repeat(depthOf(vertex, member.parent))}${displayName(member.node)}${detailsOf(member.node)}`,
      ),
    );
    lines.push(...vertex.outputs.map((edge) => `     ${outputText(vertex, edge)} [${numbers.get(edge.toVertex)}]${outputDetails(edge)}`));
  }
  return `${lines.join('\n')}\n`;
}

function vertexDetails(vertex: JobVertex, { slotResources }: JobGraph): string {
  const group = vertex.slotSharingGroup === 'default' ? '' : `, slot sharing group ${vertex.slotSharingGroup}`;
  const resources = slotResources?.[vertex.slotSharingGroup];
  const each = resources === undefined ? '' : `, ${describeResources(resources)} per slot`;
  return `parallelism ${vertex.parallelism}, max parallelism ${vertex.maxParallelism}${group}${each}`;
}

function depthOf(vertex: JobVertex, parent: number): number {
  const member = vertex.chain[parent];
  return member === undefined ? 0 : 1 + depthOf(vertex, member.parent);
}

function outputText(vertex: JobVertex, edge: JobEdge): string {
  const producer = vertex.chain[edge.fromOperator]?.node;
  const from = producer === undefined ? '' : displayName(producer);
  return `${from}${edge.sideOutput === undefined ? '' : ` (side output ${edge.sideOutput})`} ══${edge.partitioning}══▶`;
}

function outputDetails(edge: JobEdge): string {
  const input = edge.input === 1 ? ', second input' : '';
  return `${input}, buffer timeout ${edge.bufferTimeoutMs < 0 ? 'none' : `${edge.bufferTimeoutMs} ms`}`;
}
