/**
 * A thread that runs slots, one after another, and drives their turns.
 *
 * Between turns the event loop gets its say about every 10 ms; with nothing to do the thread sleeps on its wake word, which peers bump
 * after they have published into an empty ring or freed a full one.
 */
import { setImmediate as immediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import type { StorageSettings } from '../checkpoint/storage-options.js';
import { systemClock } from '../common/clock.js';
import { nodeDisk } from '../common/node-disk.js';
import { systemEntropy } from '../common/random.js';
import { evaluateArtifact, type ProgramArtifact } from './program-artifact.js';
import type { ToSlot } from './slot-messages.js';
import { type DrivenSlot, SlotRunner } from './slot-runner.js';

/** What a thread is told: which program the next slot runs, then that slot's messages. */
export type ToSlotThread =
  | ToSlot
  /** `storage`: how this process reaches stores; undefined: as their environment says. */
  | { readonly type: 'load'; readonly artifact: ProgramArtifact; readonly storage: StorageSettings | undefined };

/** How long turns may follow each other before the event loop gets its say, ms. */
const LOOP_MS = 10;
const NAP_MS = 0.5;

async function drive(slot: DrivenSlot): Promise<void> {
  let yieldAt = systemClock.monotonic() + LOOP_MS;
  while (!slot.isStopped) {
    const seen = Atomics.load(slot.words, slot.index);
    const ran = slot.turn();
    if (slot.isStopped) break;
    const idleMs = ran ? 0 : slot.nextTurnIn();
    const now = systemClock.monotonic();
    if (now < yieldAt) {
      if (ran || nap(slot, seen, idleMs)) continue;
    }
    slot.report();
    if (ran) await immediate();
    else await sleep(slot, seen, idleMs);
    yieldAt = systemClock.monotonic() + LOOP_MS;
  }
}

/**
 * Slots that exchange records wait for each other for microseconds at a time: blocking the thread that long is far cheaper than a round
 * through the event loop. True if a peer woke it.
 */
function nap({ words, index }: DrivenSlot, seen: number, idleMs: number): boolean {
  return idleMs > NAP_MS && Atomics.wait(words, index, seen, NAP_MS) !== 'timed-out';
}

async function sleep({ words, index }: DrivenSlot, seen: number, timeoutMs: number): Promise<void> {
  if (timeoutMs < 0.5) {
    await immediate();
    return;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  // waitAsync does not keep the thread alive; the timer does, and bounds the sleep.
  const timer = systemClock.schedule(timeoutMs, resolve);
  const waiting = Atomics.waitAsync(words, index, seen, timeoutMs);
  if (waiting.async) void waiting.value.then(() => resolve());
  else resolve();
  await promise;
  timer.cancel();
}

let runner: SlotRunner | undefined;
process.on('uncaughtException', (error) => runner?.fail(error));
process.on('unhandledRejection', (error) => runner?.fail(error));
parentPort?.on('message', (message: ToSlotThread) => {
  if (message.type === 'load') {
    runner = new SlotRunner(message.artifact, {
      clock: systemClock,
      disk: nodeDisk,
      entropy: systemEntropy,
      storage: message.storage,
      send: (answer) => parentPort?.postMessage(answer),
      evaluate: async (artifact) => await evaluateArtifact(artifact),
      drive,
    });
    return;
  }
  const receiver = runner;
  receiver?.handle(message).catch((error: unknown) => receiver.fail(error));
});
