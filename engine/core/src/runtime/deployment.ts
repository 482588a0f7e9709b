/**
 * What a slot needs to run its subtasks of a job, and how it builds them: chains, channels, state, sources, sinks.
 * Plain data (structured-cloneable; ring memory is shared).
 */

import type { RestoredSubtask } from '../checkpoint/redistribute.js';
import type { StateBytes } from '../checkpoint/snapshot.js';
import { BatchDecoder } from '../codec/batch-decoder.js';
import { type BatchCodecOptions, BatchEncoder } from '../codec/batch-encoder.js';
import type { Schema } from '../codec/schema.js';
import { streamCode } from '../codec/stream-code.js';
import { MillstreamError } from '../common/errors.js';
import type { Random } from '../common/random.js';
import { type ChainControl, OutputChannel } from '../network/channel.js';
import { FrameDecoder, FrameEncoder } from '../network/frame.js';
import { LocalChannel } from '../network/local-channel.js';
import { createPartitionWriter, type PartitionWriter } from '../network/partition-writer.js';
import { allocateRing, type RingLayout, RingReader, RingWriter } from '../network/ring.js';
import { RingReceiver, RingSender } from '../network/ring-channel.js';
import { channelName, consumersOf, producersOf } from '../network/topology.js';
import type { JobEdge, JobGraph, JobVertex } from '../plan/job-graph.js';
import type { EdgeFunctions, JobProgram } from '../plan/plan.js';
import type { GateChannel } from './input-gate.js';

/** A subtask and the slot that runs it. */
export interface SubtaskPlacement {
  readonly vertexId: string;
  readonly subtaskIndex: number;
  readonly slot: number;
}

/** One subtask's share of a checkpoint; see `redistribute`. */
export interface SubtaskRestore {
  /** By operator id. */
  readonly operators: { readonly [operatorId: string]: OperatorRestore };
  /** All operators of the vertex had finished: there is nothing to do any more. */
  readonly finished: boolean;
  /** Each encoded by `encodeChannelState`: together they hold what was on its way to the subtask. Absent: nothing was. */
  readonly channelStates?: readonly StateBytes[];
}

export interface OperatorRestore {
  readonly keyedChains: RestoredSubtask['keyedChains'];
  readonly operatorState: RestoredSubtask['operatorState'];
  readonly watermarks: Float64Array | undefined;
  /** To be committed by this subtask. */
  readonly committables: readonly Uint8Array[];
  /** Of all old subtasks: what else of earlier attempts is dead. */
  readonly allCommittables: readonly Uint8Array[];
}

/** Rings of one attempt, by channel name; each is known to its two slots only. */
export type RingMemory = ReadonlyMap<string, SharedArrayBuffer>;

export interface ChannelSetting {
  readonly ring: RingLayout;
  /** Encode records on keyed edges even within a slot: for measuring the codec's cost. */
  readonly forceCodec: boolean;
  readonly codegen: boolean;
  /** `exchange.record-output-max`, bytes; default 64 MiB. */
  readonly recordOutputMax?: number | undefined;
}

/** A ring of 16 slots of 64 KiB: a batch of 256 common records fits one slot, and all of it about fills a second-level cache. */
export const DEFAULT_RING: RingLayout = { slots: 16, slotBytes: 64 * 1024 };

export function vertexOf(graph: JobGraph, id: string): JobVertex {
  const vertex = graph.vertices.find((candidate) => candidate.id === id);
  if (vertex === undefined)
    throw new MillstreamError('INTERNAL', `No vertex '${id}' in the job graph. This is a defect of Millstream; please report it.`);
  return vertex;
}

/** Makes the channels between the subtasks of one slot, and to and from other slots. */
export class ChannelFactory {
  private readonly graph: JobGraph;
  private readonly program: JobProgram;
  private readonly rings: RingMemory;
  private readonly setting: ChannelSetting;
  private readonly local = new Map<string, LocalChannel>();
  private readonly loopback = new Map<string, SharedArrayBuffer>();
  private readonly isLocal: (vertexId: string, subtask: number) => boolean;
  private readonly wakePeer: (vertexId: string, subtask: number) => void;

  constructor(options: {
    graph: JobGraph;
    program: JobProgram;
    rings: RingMemory;
    setting: ChannelSetting;
    isLocal: (vertexId: string, subtask: number) => boolean;
    wakePeer: (vertexId: string, subtask: number) => void;
  }) {
    this.graph = options.graph;
    this.program = options.program;
    this.rings = options.rings;
    this.setting = options.setting;
    this.isLocal = options.isLocal;
    this.wakePeer = options.wakePeer;
  }

  private ringFor(edge: JobEdge, name: string): SharedArrayBuffer | undefined {
    const ring = this.rings.get(name);
    if (ring !== undefined) return ring;
    if (!this.setting.forceCodec || edge.partitioning !== 'hash') return undefined;
    let memory = this.loopback.get(name);
    if (memory === undefined) {
      memory = allocateRing(this.setting.ring);
      this.loopback.set(name, memory);
    }
    return memory;
  }

  private localChannel(edge: JobEdge, name: string): LocalChannel {
    let channel = this.local.get(name);
    if (channel === undefined) {
      const codec = this.codecOptions(edge);
      channel = new LocalChannel(this.program.classes, new FrameEncoder(codec), () => FrameDecoder.of(codec));
      this.local.set(name, channel);
    }
    return channel;
  }

  /** Where the stream has a declared schema just its fields travel, and nothing is inferred. */
  private codecOptions(edge: JobEdge): BatchCodecOptions {
    const { codegen } = this.setting;
    const common = { codegen, registry: this.program.classes, code: streamCode(edge.id) };
    return edge.schema === undefined ? common : { ...common, schema: edge.schema as unknown as Schema<unknown> };
  }

  /** The sending ends of an edge for one producer. */
  outputs(edge: JobEdge, from: number, control: ChainControl): OutputChannel[] {
    const producer = vertexOf(this.graph, edge.fromVertex);
    const consumer = vertexOf(this.graph, edge.toVertex);
    const frames = new FrameEncoder(this.codecOptions(edge));
    const common = { producer: edge.fromOperator, overflowBytesMax: this.setting.recordOutputMax, registry: this.program.classes, frames };
    return consumersOf(edge.partitioning, producer.parallelism, consumer.parallelism, from).map((to) => {
      const name = channelName(edge.id, from, to);
      const options = { ...common, name };
      const ring = this.ringFor(edge, name);
      if (ring === undefined) return new OutputChannel(this.localChannel(edge, name), control, options);
      const encoder = new BatchEncoder(this.codecOptions(edge));
      const wake = this.isLocal(edge.toVertex, to) ? () => undefined : () => this.wakePeer(edge.toVertex, to);
      return new OutputChannel(new RingSender(new RingWriter(ring, this.setting.ring), encoder, wake), control, options);
    });
  }

  /** The receiving ends of an edge for one consumer. */
  inputs(edge: JobEdge, to: number): GateChannel[] {
    const { input } = edge;
    const frames = new FrameEncoder(this.codecOptions(edge));
    const producer = vertexOf(this.graph, edge.fromVertex);
    const consumer = vertexOf(this.graph, edge.toVertex);
    return producersOf(edge.partitioning, producer.parallelism, consumer.parallelism, to).map((from) => {
      const name = channelName(edge.id, from, to);
      const ring = this.ringFor(edge, name);
      if (ring === undefined) return { channel: this.localChannel(edge, name), input, name, frames };
      const decoder = new BatchDecoder(this.codecOptions(edge));
      const wake = this.isLocal(edge.fromVertex, from) ? () => undefined : () => this.wakePeer(edge.fromVertex, from);
      return { channel: new RingReceiver(new RingReader(ring, this.setting.ring), decoder, wake), input, name, frames };
    });
  }

  writer(edge: JobEdge, subtaskIndex: number, channels: readonly OutputChannel[], random: Random): PartitionWriter {
    const functions: EdgeFunctions = this.program.edgeFunctions.get(edge.id) ?? {};
    const consumer = vertexOf(this.graph, edge.toVertex);
    return createPartitionWriter({
      partitioning: edge.partitioning,
      channels,
      maxParallelism: consumer.maxParallelism,
      consumerChecksKeys: consumer.chain[0]?.node.keyed === true,
      subtaskIndex,
      random,
      keySelector: functions.keySelector,
      partition: functions.partition,
    });
  }
}
