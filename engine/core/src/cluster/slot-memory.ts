/**
 * The memory that the slots of an attempt on one machine share, and which of their channels lead to other machines.
 *
 *     slot 0 ══ring══ slot 1      both here: one ring
 *     slot 0 ══ring══▶ relay ─ ─ ─ network ─ ─ ─▶ relay ══ring══▶ slot 2      two rings, one on each machine
 */
import { allocateRing, type RingLayout } from '../network/ring.js';
import { channelName, consumersOf } from '../network/topology.js';
import type { JobGraph } from '../plan/job-graph.js';
import { vertexOf } from '../runtime/deployment.js';
import type { SlotMemory } from '../runtime/slot-messages.js';
import type { Placement } from './placement.js';

/** The near end of a channel to or from a slot on another machine. */
export interface RelayedChannel {
  readonly name: string;
  readonly ring: SharedArrayBuffer;
  /** The slots at its two ends, one of which is here. */
  readonly from: number;
  readonly to: number;
}

export interface MachineMemory {
  readonly memory: SlotMemory;
  /** Channels that a slot here writes, for slots elsewhere. */
  readonly outgoing: readonly RelayedChannel[];
  /** Channels that a slot here reads, from slots elsewhere. */
  readonly incoming: readonly RelayedChannel[];
  /** The relay's word in `memory.wakeWords`. */
  readonly relayIndex: number;
}

/** Allocates for the slots that `isHere`. */
export function allocateMachineMemory(
  graph: JobGraph,
  placement: Placement,
  isHere: (slot: number) => boolean,
  layout: RingLayout,
): MachineMemory {
  const rings = new Map<string, SharedArrayBuffer>();
  const outgoing: RelayedChannel[] = [];
  const incoming: RelayedChannel[] = [];
  for (const channel of channelsBetweenSlots(graph, placement)) {
    if (!isHere(channel.from) && !isHere(channel.to)) continue;
    const ring = allocateRing(layout);
    rings.set(channel.name, ring);
    if (!isHere(channel.to)) outgoing.push({ ...channel, ring });
    if (!isHere(channel.from)) incoming.push({ ...channel, ring });
  }
  const here = Array.from({ length: placement.slots }, (_, slot) => slot).filter(isHere);
  const relayIndex = here.length;
  const wakeIndexes = Array.from({ length: placement.slots }, (_, slot) => (isHere(slot) ? here.indexOf(slot) : relayIndex));
  const wakeWords = new SharedArrayBuffer((here.length + 1) * 4);
  return { memory: { rings, wakeWords, wakeIndexes }, outgoing, incoming, relayIndex };
}

/** The channels whose ends are in different slots. */
export function channelsBetweenSlots(graph: JobGraph, placement: Placement): { name: string; from: number; to: number }[] {
  const channels: { name: string; from: number; to: number }[] = [];
  for (const edge of graph.edges) {
    const producer = vertexOf(graph, edge.fromVertex);
    const consumer = vertexOf(graph, edge.toVertex);
    for (let from = 0; from < producer.parallelism; from++) {
      for (const to of consumersOf(edge.partitioning, producer.parallelism, consumer.parallelism, from)) {
        const ends = { from: placement.slotOf(edge.fromVertex, from), to: placement.slotOf(edge.toVertex, to) };
        if (ends.from !== ends.to) channels.push({ name: channelName(edge.id, from, to), ...ends });
      }
    }
  }
  return channels;
}
