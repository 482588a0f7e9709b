/** The coordinator's end of a slot: a worker thread with its message port. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { MillstreamError } from '../common/errors.js';
import type { FromSlot, ToSlot } from '../runtime/slot-messages.js';
import type { SlotWorkerData } from '../runtime/slot-worker.js';

/** A slot, wherever it runs. Messages arrive in order; after `closed` none arrives. */
export interface SlotHandle {
  send(message: ToSlot): void;
  /** Ends the slot at once, as a crash would. */
  kill(): Promise<void>;
}

export interface SlotHandleOptions {
  readonly slot: number;
  readonly data: SlotWorkerData;
  readonly onMessage: (message: FromSlot) => void;
  /** The slot is gone without having been asked to. */
  readonly onLost: (error: MillstreamError) => void;
  /** MB of young generation per thread; larger means fewer, longer minor collections. */
  readonly youngGenerationMb: number;
}

export function startSlot(options: SlotHandleOptions): SlotHandle {
  // Young generations grow slowly from a small start, and what is in flight between slots survives each of their many collections
  // (docs/performance). The flag holds for isolates that are made after it.
  setFlagsFromString(`--min-semi-space-size=${Math.max(1, Math.floor(options.youngGenerationMb / 3))}`);
  const worker = new Worker(new URL('../runtime/slot-worker.js', import.meta.url), {
    workerData: options.data,
    name: `slot-${options.slot}`,
    resourceLimits: { maxYoungGenerationSizeMb: options.youngGenerationMb },
    execArgv: ['--enable-source-maps'],
  });
  let closed = false;
  const lost = (message: string, cause?: unknown): void => {
    if (closed) return;
    closed = true;
    options.onLost(new MillstreamError('SLOT_LOST', `Slot ${options.slot} ended unexpectedly: ${message}`, { retryable: true, cause }));
  };
  worker.on('message', (message: FromSlot) => {
    if (!closed) options.onMessage(message);
  });
  worker.on('error', (error) => lost(outOfMemory(error) ?? (error instanceof Error ? error.message : String(error)), error));
  worker.on('exit', (code) => lost(`exit code ${code}`));
  return {
    send: (message) => worker.postMessage(message),
    kill: async () => {
      closed = true;
      await worker.terminate();
    },
  };
}

function outOfMemory(error: unknown): string | undefined {
  if ((error as { code?: unknown }).code !== 'ERR_WORKER_OUT_OF_MEMORY') return undefined;
  return 'out of memory. Declare schemas for numeric state, raise the parallelism, or start Node with a larger --max-old-space-size';
}
