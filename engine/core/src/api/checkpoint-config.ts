/** Settings of checkpoints under Flink's method names; each sets an option. */
import type { CheckpointingMode, ExternalizedCheckpointRetention, JobOptions } from '../config/options.js';

/** See `env.getCheckpointConfig()`. Every setting is also an option of `env.configure`. */
export class CheckpointConfig {
  readonly #configure: (options: JobOptions) => void;

  /** Internal. */
  constructor(configure: (options: JobOptions) => void) {
    this.#configure = configure;
  }

  /** Time between checkpoints, ms. */
  setCheckpointInterval(intervalMs: number): this {
    return this.#set({ 'execution.checkpointing.interval': intervalMs });
  }

  setCheckpointingConsistencyMode(mode: CheckpointingMode): this {
    return this.#set({ 'execution.checkpointing.mode': mode });
  }

  /** A checkpoint that takes longer is given up; default 10 minutes. */
  setCheckpointTimeout(timeoutMs: number): this {
    return this.#set({ 'execution.checkpointing.timeout': timeoutMs });
  }

  /** Least time between the end of a checkpoint and the next one; default 0. */
  setMinPauseBetweenCheckpoints(minPauseMs: number): this {
    return this.#set({ 'execution.checkpointing.min-pause': minPauseMs });
  }

  /** How many checkpoints may be under way at once: 1. Throws INVALID_OPTION for more. */
  setMaxConcurrentCheckpoints(count: number): this {
    return this.#set({ 'execution.checkpointing.max-concurrent-checkpoints': count });
  }

  /** What becomes of retained checkpoints when the job is cancelled or fails for good: they stay. Throws INVALID_OPTION for anything else. */
  setExternalizedCheckpointRetention(retention: ExternalizedCheckpointRetention): this {
    return this.#set({ 'execution.checkpointing.externalized-checkpoint-retention': retention });
  }

  /** How many checkpoints in a row may fail before the job does; default 0. */
  setTolerableCheckpointFailureNumber(count: number): this {
    return this.#set({ 'execution.checkpointing.tolerable-failed-checkpoints': count });
  }

  /** Directory of checkpoints and of the job record. */
  setCheckpointStorage(directory: string): this {
    return this.#set({ 'execution.checkpointing.dir': directory });
  }

  #set(options: JobOptions): this {
    this.#configure(options);
    return this;
  }
}
