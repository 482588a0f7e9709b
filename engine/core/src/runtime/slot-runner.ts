/**
 * Runs one slot, from its deployment to its end: evaluates the program, builds its tasks, hands its messages over, and closes it. Where it
 * runs (a thread, or a simulation) is given from outside: how programs are loaded, and how its turns are driven.
 *
 *     deploy ─▶ program, tasks, restore ─▶ deployed ─▶ start ─▶ turns … ─▶ cancel ─▶ last report, close ─▶ cancelled
 *
 * Invariants: 1. messages that come during the deployment are handled after it, in order; 2. what is being opened is closed after it.
 */
import { type ChannelFrame, channelFramesFor, decodeChannelState } from '../checkpoint/channel-state.js';
import { FileSystems } from '../checkpoint/file-systems.js';
import type { StateBytes } from '../checkpoint/snapshot.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import type { StorageSettings } from '../checkpoint/storage-options.js';
import { isCodeGenerationAllowed } from '../codec/generated-function.js';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { hashKey } from '../common/hash.js';
import { type Entropy, seededRandom } from '../common/random.js';
import type { OperatorImplementation } from '../operators/operator.js';
import type { JobProgram } from '../plan/plan.js';
import { collectImplementation } from './collect-sink.js';
import { DelaySampler } from './delay-sampler.js';
import { ChannelFactory } from './deployment.js';
import { type LocalState, openLocalState } from './local-state-of-slot.js';
import type { ProgramArtifact } from './program-artifact.js';
import { serializeError } from './serialize-error.js';
import { Slot } from './slot.js';
import type { FromSlot, SlotDeployment, ToSlot } from './slot-messages.js';
import type { Task } from './task.js';
import { buildTask } from './task-builder.js';

/** How often a slot reports its figures, ms; it is driven at least as often. */
const METRICS_MS = 500;

/** A slot as whoever drives it sees it. */
export interface DrivenSlot {
  readonly isStopped: boolean;
  /** Peers bump `words[index]` when there is something to do. */
  readonly words: Int32Array;
  readonly index: number;
  /** Runs every task once. True if any of them did something. */
  turn(): boolean;
  /** When it wants its next turn though nothing wakes it: ms from now, at most until its next report. */
  nextTurnIn(): number;
  /** Says how it goes, where that is due; to be called between turns, every few ms. */
  report(): void;
}

/** Where a slot runs. */
export interface SlotSurroundings {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly entropy: Entropy;
  /** How this process reaches stores; undefined: as their environment says. */
  readonly storage: StorageSettings | undefined;
  readonly send: (message: FromSlot) => void;
  /** Throws PROGRAM_CHANGED, PROGRAM_FAILED, GRAPH_DIFFERS. */
  readonly evaluate: (artifact: ProgramArtifact) => Promise<JobProgram>;
  /** Calls the slot's turns; resolves when it has stopped. */
  readonly drive: (slot: DrivenSlot) => Promise<void>;
}

/** See the head of this file. */
export class SlotRunner {
  private readonly surroundings: SlotSurroundings;
  private readonly artifact: ProgramArtifact;
  private slot: Slot | undefined;
  private local: LocalState | undefined;
  private wakeWord: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  private wakeIndex = 0;
  private sampler: DelaySampler | undefined;
  private deploying: Promise<void> | undefined;
  private driving: Promise<void> | undefined;
  private lastMetrics = 0;
  /** What came while the slot was being deployed: splits are assigned as soon as the enumerator has them. */
  private early: ToSlot[] | undefined = [];

  constructor(artifact: ProgramArtifact, surroundings: SlotSurroundings) {
    this.artifact = artifact;
    this.surroundings = surroundings;
  }

  async handle(message: ToSlot): Promise<void> {
    if (message.type === 'deploy') {
      this.deploying = this.deploy(message.deployment);
      await this.deploying;
      const { early = [] } = this;
      this.early = undefined;
      // At once, without awaiting in between: what comes now must not overtake them.
      await Promise.all(early.map((each) => this.handle(each)));
      return;
    }
    if (message.type === 'cancel') {
      await this.cancel();
      return;
    }
    if (this.early !== undefined) {
      this.early.push(message);
      return;
    }
    this.slot?.handle(message);
    if (message.type === 'complete') this.local?.completed(message);
    if (message.type === 'start') this.driving = this.drive();
    this.wakeSelf();
  }

  private send(message: FromSlot): void {
    if (message.type === 'acknowledged') this.local?.acknowledged(message.snapshot);
    this.surroundings.send(message);
  }

  private wakeSelf(): void {
    Atomics.add(this.wakeWord, this.wakeIndex, 1);
    Atomics.notify(this.wakeWord, this.wakeIndex);
  }

  private async deploy(deployment: SlotDeployment): Promise<void> {
    this.wakeWord = new Int32Array(deployment.wakeWords);
    this.wakeIndex = deployment.wakeIndexes[deployment.slot] as number;
    const program = await this.surroundings.evaluate(this.artifact);
    const storage = await this.openStorage(deployment);
    const slot = new Slot({
      clock: this.surroundings.clock,
      send: (message) => this.send(message),
      wake: () => this.wakeSelf(),
      stateFile:
        storage === undefined
          ? undefined
          : (task, operatorId, epoch, part, savepoint) =>
              storage.createStateFile({
                run: deployment.run,
                attempt: deployment.attempt,
                operatorId,
                subtaskIndex: task.options.subtaskIndex,
                epoch,
                part,
                savepoint,
              }),
    });
    this.slot = slot;
    await this.buildTasks(deployment, program, slot, storage);
    await slot.open();
    if (deployment.sampleDelays) this.sampler = new DelaySampler(this.surroundings.clock);
    this.send({ type: 'deployed' });
  }

  private async openStorage(deployment: SlotDeployment): Promise<CheckpointStorage | undefined> {
    const directory = deployment.checkpointDirectory;
    if (directory === undefined) return undefined;
    const { disk, clock, entropy, storage } = this.surroundings;
    this.local = await openLocalState(deployment, disk);
    const files = new FileSystems({ disk, clock, random: seededRandom(entropy.seed()), options: storage ?? {} });
    await files.open(directory);
    return new CheckpointStorage(files, directory, this.local?.copies);
  }

  private async buildTasks(
    deployment: SlotDeployment,
    program: JobProgram,
    slot: Slot,
    storage: CheckpointStorage | undefined,
  ): Promise<void> {
    const slotOf = new Map(deployment.placements.map((place) => [`${place.vertexId}:${place.subtaskIndex}`, place.slot]));
    const codegen = deployment.channels.codegen && isCodeGenerationAllowed();
    const channels = new ChannelFactory({
      graph: deployment.graph,
      program,
      rings: deployment.rings,
      setting: { ...deployment.channels, codegen },
      isLocal: (vertexId, subtask) => slotOf.get(`${vertexId}:${subtask}`) === deployment.slot,
      wakePeer: (vertexId, subtask) => {
        const peer = deployment.wakeIndexes[slotOf.get(`${vertexId}:${subtask}`) as number] as number;
        Atomics.add(this.wakeWord, peer, 1);
        Atomics.notify(this.wakeWord, peer);
      },
    });
    for (const vertex of deployment.graph.vertices) {
      for (const place of deployment.placements) {
        if (place.vertexId !== vertex.id || place.slot !== deployment.slot) continue;
        const restore = deployment.restore[vertex.id]?.[place.subtaskIndex];
        slot.add(
          await buildTask({
            vertex,
            subtaskIndex: place.subtaskIndex,
            program,
            channels,
            environment: {
              run: deployment.run,
              attempt: deployment.attempt,
              clock: this.surroundings.clock,
              random: seededRandom(deployment.seed ^ hashKey([vertex.id, place.subtaskIndex])),
              checked: deployment.checked,
            },
            disk: this.surroundings.disk,
            codegen,
            watermarkIntervalMs: deployment.watermarkIntervalMs,
            alignBarriers: deployment.alignBarriers,
            finished: restore?.finished ?? false,
            supplied: (nodeId) => this.supplied(program, nodeId),
            restore: restore?.operators,
            channelFrames: await restoredChannels(restore?.channelStates ?? [], storage),
            readState: async (chain) => await (storage as CheckpointStorage).readChain(chain),
            requestSplit: () => this.send({ type: 'requestSplit', vertexId: vertex.id, subtask: place.subtaskIndex }),
            onBarrier: (task, barrier, inFlight) => slot.barrier(task, barrier, inFlight),
            onEnd: (task) => slot.taskEnded(task),
            onFailure: (task: Task, error) => slot.taskFailed(task, error),
            wakeSlot: () => this.wakeSelf(),
          }),
        );
      }
    }
  }

  private supplied(program: JobProgram, nodeId: string): OperatorImplementation | undefined {
    const node = program.plan.nodes.find((candidate) => candidate.id === nodeId);
    if (node?.kind !== 'collect') return undefined;
    return collectImplementation({
      send: (values) => this.send({ type: 'collected', nodeId, values }),
      limit: typeof node.config.limit === 'number' ? node.config.limit : Number.POSITIVE_INFINITY,
      requestCheckpoint: () => this.send({ type: 'requestCheckpoint' }),
      classes: program.classes,
    });
  }

  private async drive(): Promise<void> {
    const slot = this.slot as Slot;
    await this.surroundings.drive({
      get isStopped() {
        return slot.isStopped;
      },
      words: this.wakeWord,
      index: this.wakeIndex,
      turn: () => slot.turn(),
      nextTurnIn: () => Math.min(slot.nextTurnIn(), METRICS_MS),
      report: () => this.report(slot),
    });
    this.report(slot);
  }

  private report(slot: Slot): void {
    const now = this.surroundings.clock.monotonic();
    for (const source of slot.dueSourceWatermarks()) this.send({ type: 'sourceWatermark', ...source });
    if (now - this.lastMetrics < METRICS_MS && !slot.isStopped) return;
    this.lastMetrics = now;
    this.send({ type: 'metrics', tasks: slot.metrics(), longestDelayMs: this.sampler?.longest() ?? 0 });
  }

  private async cancel(): Promise<void> {
    this.sampler?.stop();
    let failures: readonly unknown[] = [];
    try {
      this.slot?.handle({ type: 'cancel' });
      this.wakeSelf();
      // What is being opened is closed after it, and not before.
      await this.deploying?.catch(() => undefined);
      // Its last report has the final figures.
      await this.driving;
      failures = (await this.slot?.close()) ?? [];
    } finally {
      this.send({ type: 'cancelled', failures: failures.map(serializeError) });
    }
  }

  fail(error: unknown): void {
    this.send({ type: 'failed', error: serializeError(error), position: undefined, task: undefined });
  }
}

/** What was on its way to a subtask, by channel. */
async function restoredChannels(
  states: readonly StateBytes[],
  storage: CheckpointStorage | undefined,
): Promise<Map<string, ChannelFrame[]>> {
  const decoded = states.map(async (state) => decodeChannelState(await (storage as CheckpointStorage).readBytes(state)));
  return channelFramesFor(await Promise.all(decoded));
}
