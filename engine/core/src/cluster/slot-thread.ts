/**
 * Worker threads that run slots, one attempt after another. A thread whose slot has closed in good order may run another slot: its engine
 * code is loaded and compiled, its heap has grown, so a restart begins at full speed. Parked threads keep no process alive.
 *
 * Invariants: 1. a thread that was ended in any other way than in good order is never used again; 2. a thread runs at most one slot at a
 * time, and nothing of one slot's messages reaches the next.
 */
import { type HeapInfo, setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { type ScheduledCall, systemClock } from '../common/clock.js';
import type { FromSlot } from '../runtime/slot-messages.js';
import type { ToSlotThread } from '../runtime/slot-worker.js';

/** Every slot evaluates the program again, and module instances are never freed: after so many a thread is replaced. */
const SLOTS_MAX = 10;
/** Parked threads hold memory; a restart comes sooner than this. */
const PARKED_MS = 10_000;

/** How much heap a thread may have. */
export interface HeapSize {
  /** Larger means fewer, longer minor collections. */
  readonly youngGenerationMb: number;
  /** Of all generations; undefined: Node's limit. */
  readonly heapBytes?: number | undefined;
}

interface HeapLimits {
  readonly maxYoungGenerationSizeMb: number;
  readonly maxOldGenerationSizeMb?: number;
}

/** A small heap is for the most part of the old generation, where state lives. */
function heapLimits({ youngGenerationMb, heapBytes }: HeapSize): HeapLimits {
  if (heapBytes === undefined) return { maxYoungGenerationSizeMb: youngGenerationMb };
  const heapMb = heapBytes / 2 ** 20;
  const maxYoungGenerationSizeMb = Math.max(1, Math.min(youngGenerationMb, Math.floor(heapMb / 4)));
  return { maxYoungGenerationSizeMb, maxOldGenerationSizeMb: Math.max(1, Math.floor(heapMb - maxYoungGenerationSizeMb)) };
}

function limitsName({ maxYoungGenerationSizeMb, maxOldGenerationSizeMb }: HeapLimits): string {
  return `${maxYoungGenerationSizeMb} ${maxOldGenerationSizeMb}`;
}

export interface SlotThreadListener {
  onMessage(message: FromSlot): void;
  onError(error: unknown): void;
  onExit(code: number): void;
}

export class SlotThread {
  listener: SlotThreadListener | undefined;
  private readonly worker: Worker;
  private readonly limits: string;
  private slots = 0;
  private ended = false;
  private expiry: ScheduledCall | undefined;

  private constructor({ maxYoungGenerationSizeMb, ...old }: HeapLimits, name: string) {
    this.limits = limitsName({ maxYoungGenerationSizeMb, ...old });
    // Young generations grow slowly from a small start, and what is in flight between slots survives each of their many collections
    // (docs/performance). The flag holds for isolates that are made after it.
    setFlagsFromString(`--min-semi-space-size=${Math.max(1, Math.floor(maxYoungGenerationSizeMb / 3))}`);
    this.worker = new Worker(new URL('../runtime/slot-worker.js', import.meta.url), {
      name,
      resourceLimits: { maxYoungGenerationSizeMb, ...old },
      execArgv: ['--enable-source-maps'],
    });
    this.worker.on('message', (message: FromSlot) => this.listener?.onMessage(message));
    this.worker.on('error', (error) => {
      this.ended = true;
      this.listener?.onError(error);
    });
    living.add(this);
    this.worker.on('exit', (code) => {
      living.delete(this);
      this.ended = true;
      this.listener?.onExit(code);
    });
  }

  /** Of all threads that live, parked ones too. */
  static async heapStatistics(): Promise<HeapInfo[]> {
    const asked = [...living].map(async ({ worker }) => await worker.getHeapStatistics());
    // One that ends meanwhile has no heap any more.
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  /** A parked thread of the same settings, or a new one. */
  static take(size: HeapSize, name: string): SlotThread {
    const limits = heapLimits(size);
    const at = parked.findIndex((thread) => !thread.ended && thread.limits === limitsName(limits));
    const thread = at < 0 ? new SlotThread(limits, name) : (parked.splice(at, 1)[0] as SlotThread);
    thread.expiry?.cancel();
    thread.worker.ref();
    thread.slots++;
    return thread;
  }

  send(message: ToSlotThread): void {
    this.worker.postMessage(message);
  }

  /** Keeps the thread for another slot, after its slot has closed. */
  async park(): Promise<void> {
    this.listener = undefined;
    if (this.ended || this.slots >= SLOTS_MAX) {
      await this.end();
      return;
    }
    this.worker.unref();
    const expire = (): void => {
      const at = parked.indexOf(this);
      if (at >= 0) parked.splice(at, 1);
      void this.end();
    };
    this.expiry = systemClock.schedule(PARKED_MS, expire, false);
    parked.push(this);
  }

  async end(): Promise<void> {
    this.listener = undefined;
    await this.worker.terminate();
  }
}

const parked: SlotThread[] = [];
const living = new Set<SlotThread>();
