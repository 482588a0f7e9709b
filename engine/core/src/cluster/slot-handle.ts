/** The coordinator's end of a slot: a worker thread with its message port. */
import type { StorageSettings } from '../checkpoint/storage-options.js';
import { MillstreamError, messageOf } from '../common/errors.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import type { FromSlot, ToSlot } from '../runtime/slot-messages.js';
import { SlotThread } from './slot-thread.js';

/** A slot, wherever it runs. Messages arrive in order; after `closed` none arrives. */
export interface SlotHandle {
  send(message: ToSlot): void;
  /** Ends the slot at once, as a crash would; one that has closed leaves its thread to the next. */
  kill(): Promise<void>;
}

export interface SlotHandleOptions {
  readonly slot: number;
  readonly artifact: ProgramArtifact;
  readonly onMessage: (message: FromSlot) => void;
  /** The slot is gone without having been asked to. */
  readonly onLost: (error: MillstreamError) => void;
  /** MB of young generation per thread; larger means fewer, longer minor collections. */
  readonly youngGenerationMb: number;
  /** What the thread is limited to. Default: Node's limit. */
  readonly heapBytes?: number | undefined;
  /** How stores are reached. Default: as their environment says. */
  readonly storage?: StorageSettings;
}

/** Starts a slot in a thread of its own. */
export function startSlot(options: SlotHandleOptions): SlotHandle {
  const thread = SlotThread.take(options, `slot-${options.slot}`);
  let closed = false;
  let isDeployed = false;
  let isIdle = false;
  const lost = (message: string, cause?: unknown): void => {
    if (closed) return;
    closed = true;
    options.onLost(
      new MillstreamError('SLOT_LOST', `Slot ${options.slot} ended unexpectedly: ${message}`, {
        retryable: true,
        cause,
        details: { slot: options.slot },
      }),
    );
  };
  thread.listener = {
    onMessage: (message) => {
      if (message.type === 'deployed') isDeployed = true;
      // A slot that was cancelled in the middle of its deployment may still be evaluating the program.
      if (message.type === 'cancelled') isIdle = isDeployed;
      if (message.type === 'failed') isDeployed = false;
      options.onMessage(message);
    },
    onError: (error) => lost(outOfMemory(error) ?? messageOf(error), error),
    onExit: (code) => lost(`exit code ${code}`),
  };
  thread.send({ type: 'load', artifact: options.artifact, storage: options.storage });
  return {
    send: (message) => thread.send(message),
    kill: async () => {
      if (closed) return;
      closed = true;
      await (isIdle ? thread.park() : thread.end());
    },
  };
}

function outOfMemory(error: unknown): string | undefined {
  if ((error as { code?: unknown }).code !== 'ERR_WORKER_OUT_OF_MEMORY') return undefined;
  return 'out of memory. Declare schemas for numeric state, raise the parallelism, or start Node with a larger --max-old-space-size';
}
