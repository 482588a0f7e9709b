/**
 * A slot in a worker thread: evaluates the program, builds its tasks, and drives the slot's turns until it is cancelled; the next slot
 * of the thread begins afresh.
 *
 * Between turns the event loop gets its say about every 10 ms; with nothing to do the thread sleeps on its wake word, which peers bump
 * after they have published into an empty ring or freed a full one.
 */
import { setImmediate as immediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { type ChannelFrame, channelFramesFor, decodeChannelState } from '../checkpoint/channel-state.js';
import { FileSystems } from '../checkpoint/file-systems.js';
import type { StateBytes } from '../checkpoint/snapshot.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import type { StorageSettings } from '../checkpoint/storage-options.js';
import { isCodeGenerationAllowed } from '../codec/generated-function.js';
import type { Clock } from '../common/clock.js';
import { systemClock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { hashKey } from '../common/hash.js';
import { nodeDisk } from '../common/node-disk.js';
import { entropySeed, seededRandom } from '../common/random.js';
import type { OperatorImplementation } from '../operators/operator.js';
import type { JobProgram } from '../plan/plan.js';
import { collectImplementation } from './collect-sink.js';
import { DelaySampler } from './delay-sampler.js';
import { ChannelFactory } from './deployment.js';
import { type LocalState, openLocalState } from './local-state-of-slot.js';
import { evaluateArtifact, type ProgramArtifact } from './program-artifact.js';
import { serializeError } from './serialize-error.js';
import { Slot } from './slot.js';
import type { FromSlot, SlotDeployment, ToSlot } from './slot-messages.js';
import type { Task } from './task.js';
import { buildTask } from './task-builder.js';

/** What a thread is told: which program the next slot runs, then that slot's messages. */
export type ToSlotThread =
  | ToSlot
  /** `storage`: how this process reaches stores; undefined: as their environment says. */
  | { readonly type: 'load'; readonly artifact: ProgramArtifact; readonly storage: StorageSettings | undefined };

/** How long turns may follow each other before the event loop gets its say, ms. */
const LOOP_MS = 10;
const METRICS_MS = 500;
const NAP_MS = 0.5;

class SlotWorker {
  private readonly artifact: ProgramArtifact;
  private readonly storage: StorageSettings | undefined;
  private readonly clock: Clock = systemClock;
  private readonly disk: Disk = nodeDisk;
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

  constructor(artifact: ProgramArtifact, storage: StorageSettings | undefined) {
    this.artifact = artifact;
    this.storage = storage;
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
    parentPort?.postMessage(message);
  }

  private wakeSelf(): void {
    Atomics.add(this.wakeWord, this.wakeIndex, 1);
    Atomics.notify(this.wakeWord, this.wakeIndex);
  }

  private async deploy(deployment: SlotDeployment): Promise<void> {
    this.wakeWord = new Int32Array(deployment.wakeWords);
    this.wakeIndex = deployment.wakeIndexes[deployment.slot] as number;
    const program = await evaluateArtifact(this.artifact);
    const storage = await this.openStorage(deployment);
    const slot = new Slot({
      clock: this.clock,
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
    if (deployment.sampleDelays) this.sampler = new DelaySampler(this.clock);
    this.send({ type: 'deployed' });
  }

  private async openStorage(deployment: SlotDeployment): Promise<CheckpointStorage | undefined> {
    const directory = deployment.checkpointDirectory;
    if (directory === undefined) return undefined;
    this.local = await openLocalState(deployment, this.disk);
    const random = seededRandom(entropySeed());
    const files = new FileSystems({ disk: this.disk, clock: this.clock, random, options: this.storage ?? {} });
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
              clock: this.clock,
              random: seededRandom(deployment.seed ^ hashKey([vertex.id, place.subtaskIndex])),
              checked: deployment.checked,
            },
            disk: this.disk,
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
    let yieldAt = this.clock.monotonic() + LOOP_MS;
    while (!slot.isStopped) {
      const seen = Atomics.load(this.wakeWord, this.wakeIndex);
      const ran = slot.turn();
      if (slot.isStopped) break;
      const idleMs = ran ? 0 : Math.min(slot.nextTurnIn(), METRICS_MS);
      const now = this.clock.monotonic();
      if (now < yieldAt) {
        if (ran || this.nap(seen, idleMs)) continue;
      }
      this.report(slot);
      if (ran) await immediate();
      else await this.sleep(seen, idleMs);
      yieldAt = this.clock.monotonic() + LOOP_MS;
    }
    this.report(slot);
  }

  /**
   * Slots that exchange records wait for each other for microseconds at a time: blocking the thread that long is far cheaper than a round
   * through the event loop. True if a peer woke it.
   */
  private nap(seen: number, idleMs: number): boolean {
    return idleMs > NAP_MS && Atomics.wait(this.wakeWord, this.wakeIndex, seen, NAP_MS) !== 'timed-out';
  }

  private async sleep(seen: number, timeoutMs: number): Promise<void> {
    if (timeoutMs < 0.5) {
      await immediate();
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    // waitAsync does not keep the thread alive; the timer does, and bounds the sleep.
    const timer = this.clock.schedule(timeoutMs, resolve);
    const waiting = Atomics.waitAsync(this.wakeWord, this.wakeIndex, seen, timeoutMs);
    if (waiting.async) void waiting.value.then(() => resolve());
    else resolve();
    await promise;
    timer.cancel();
  }

  private report(slot: Slot): void {
    const now = this.clock.monotonic();
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

let worker: SlotWorker | undefined;
process.on('uncaughtException', (error) => worker?.fail(error));
process.on('unhandledRejection', (error) => worker?.fail(error));
parentPort?.on('message', (message: ToSlotThread) => {
  if (message.type === 'load') {
    worker = new SlotWorker(message.artifact, message.storage);
    return;
  }
  const receiver = worker;
  receiver?.handle(message).catch((error: unknown) => receiver.fail(error));
});
