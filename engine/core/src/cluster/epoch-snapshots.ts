/** What has been gathered for each epoch in progress: the enumerators' states at its trigger, then the snapshots that subtasks acknowledge. */
import { assembleOperators, type CheckpointKind, type CheckpointMetadata, type OperatorDescription } from '../checkpoint/metadata.js';
import type { StateBytes, SubtaskSnapshot } from '../checkpoint/snapshot.js';
import type { JobGraph } from '../plan/job-graph.js';

/** An epoch from its trigger on. */
export interface TriggeredEpoch {
  readonly kind: CheckpointKind;
  /** Where a savepoint goes. */
  readonly savepoint: string | undefined;
  /** Wall clock, ms since 1970. */
  readonly timestamp: number;
  /** Of the clock that does not go back, ms. */
  readonly startedAt: number;
  /** By vertex id. */
  readonly enumerators: ReadonlyMap<string, StateBytes>;
}

/** The job that is snapshot. */
export interface SnapshotOwner {
  readonly run: string;
  readonly attempt: number;
  readonly graph: JobGraph;
  readonly jobDirectory: string;
  readonly defaultParallelism: number;
}

/** As many as the coordinator remembers. */
const GIVEN_UP_REMEMBERED = 16;

export class EpochSnapshots {
  private readonly owner: SnapshotOwner;
  private readonly operators: readonly OperatorDescription[];
  private readonly triggered = new Map<number, TriggeredEpoch>();
  private readonly acknowledged = new Map<number, SubtaskSnapshot[]>();
  /** The directories of savepoints that will not be complete. */
  private readonly givenUp = new Map<number, string>();

  constructor(owner: SnapshotOwner) {
    this.owner = owner;
    this.operators = owner.graph.vertices.flatMap(({ id, chain, parallelism, maxParallelism }) =>
      chain.map(({ node }) => ({ operatorId: node.id, uid: node.uid, name: node.name, vertexId: id, parallelism, maxParallelism })),
    );
  }

  begin(epoch: number, triggered: TriggeredEpoch): void {
    this.triggered.set(epoch, triggered);
  }

  startOf(epoch: number): TriggeredEpoch | undefined {
    return this.triggered.get(epoch);
  }

  add(snapshot: SubtaskSnapshot): void {
    const known = this.acknowledged.get(snapshot.epoch);
    if (known === undefined) this.acknowledged.set(snapshot.epoch, [snapshot]);
    else known.push(snapshot);
  }

  of(epoch: number): readonly SubtaskSnapshot[] {
    return this.acknowledged.get(epoch) ?? [];
  }

  /** Removes the snapshots of an epoch and returns them. */
  take(epoch: number): readonly SubtaskSnapshot[] {
    const taken = this.of(epoch);
    this.acknowledged.delete(epoch);
    return taken;
  }

  /** Where an epoch goes that is a savepoint, also one that was given up lately. */
  savepointOf(epoch: number): string | undefined {
    return this.triggered.get(epoch)?.savepoint ?? this.givenUp.get(epoch);
  }

  /** An epoch will not be complete: forgets it, but for where it was to go, since files may still be written there. Returns that. */
  giveUp(epoch: number): string | undefined {
    const savepoint = this.savepointOf(epoch);
    if (savepoint !== undefined) this.givenUp.set(epoch, savepoint);
    const [oldest] = this.givenUp.keys();
    if (this.givenUp.size > GIVEN_UP_REMEMBERED && oldest !== undefined) this.givenUp.delete(oldest);
    this.forget(epoch);
    return savepoint;
  }

  /** Everything up to an epoch is decided. */
  forget(epoch: number): void {
    for (const known of this.acknowledged.keys()) if (known <= epoch) this.acknowledged.delete(known);
    for (const known of this.triggered.keys()) if (known <= epoch) this.triggered.delete(known);
  }

  /** Of an epoch that all subtasks have acknowledged. */
  metadata(epoch: number): CheckpointMetadata {
    const { run, attempt, graph, jobDirectory, defaultParallelism } = this.owner;
    const { kind, timestamp, enumerators } = this.triggered.get(epoch) as TriggeredEpoch;
    return {
      kind,
      jobName: graph.jobName,
      run,
      attempt,
      epoch,
      timestamp,
      structuralHash: graph.structuralHash,
      jobDirectory,
      defaultParallelism,
      operators: assembleOperators(this.operators, this.of(epoch), enumerators),
    };
  }
}
