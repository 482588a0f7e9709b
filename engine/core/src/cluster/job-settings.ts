/** The settings of one run in the embedded driver: what the program set, overridden by what the command line or the caller says. */
import type { CheckpointConfig } from '../checkpoint/coordinator-state.js';
import type { ResolvedOptions } from '../config/options.js';
import { resolveOptions } from '../config/resolve-options.js';
import type { RingLayout } from '../network/ring.js';
import type { Plan } from '../plan/plan.js';
import { type ChannelSetting, DEFAULT_RING } from '../runtime/deployment.js';
import type { RestartStrategyOptions } from './restart-strategy.js';

/** How to run a job in this process. All optional. */
export interface RunOptions {
  /** Start from this checkpoint, savepoint or job directory. Default: option execution.state-recovery.path. */
  readonly from?: string;
  /** State of operators that the program no longer has may be left behind. Default: option execution.state-recovery.ignore-unclaimed-state. */
  readonly allowNonRestoredState?: boolean;
  /** Deep-freeze records and compare state, to find programs that change what they must not. Default: false. */
  readonly checked?: boolean;
  /** Encode records on keyed edges even within a slot; for measurements. Default: false. */
  readonly forceCodec?: boolean;
  /** Generated chains and codecs; false runs their interpreted twins. Default: true. */
  readonly codegen?: boolean;
  /** Size of each channel between slots. Default: 16 slots of 64 KiB. */
  readonly ring?: RingLayout;
  /** Sample the longest delay of each slot's loop every ms. Default: false. */
  readonly sampleDelays?: boolean;
  /** Size of each slot's young generation, MB. Default: 96. */
  readonly youngGenerationMb?: number;
  /** Seed of the engine's randomness (shuffle, jitter). Default: chosen anew. */
  readonly seed?: number;
}

export interface RunSettings {
  /** The checkpoint to start from. */
  readonly from: string | undefined;
  readonly allowNonRestoredState: boolean;
  /** The run owns what it starts from: it removes it. */
  readonly claim: boolean;
  readonly checkpoints: CheckpointConfig;
  /** Undefined: nothing is stored. */
  readonly checkpointDirectory: string | undefined;
  /** Where savepoints go that name no place. */
  readonly savepointDirectory: string | undefined;
  readonly retainedCheckpoints: number;
  readonly watermarkIntervalMs: number;
  readonly defaultParallelism: number;
  readonly channels: ChannelSetting;
  readonly alignBarriers: boolean;
  /** Unaligned checkpoints: barriers may overtake elements after so long, ms; undefined: never. */
  readonly overtakeAfterMs: number | undefined;
  readonly restart: RestartStrategyOptions;
  /** Copies of state files on the machines of the slots. */
  readonly localState: { readonly writes: boolean; readonly reads: boolean };
}

/** Where checkpoints go if checkpointing is on and no directory is set. */
export const DEFAULT_CHECKPOINT_DIRECTORY = '.millstream/checkpoints';

export function runSettings(plan: Plan, run: RunOptions): RunSettings {
  const options = resolveOptions(plan.options);
  const intervalMs = options['execution.checkpointing.interval'];
  const directory = options['execution.checkpointing.dir'];
  const from = run.from ?? options['execution.state-recovery.path'];
  const alignBarriers = options['execution.checkpointing.mode'] === 'EXACTLY_ONCE';
  return {
    from,
    allowNonRestoredState: run.allowNonRestoredState ?? options['execution.state-recovery.ignore-unclaimed-state'],
    claim: options['execution.state-recovery.claim-mode'] === 'CLAIM',
    checkpoints: {
      intervalMs,
      minPauseMs: options['execution.checkpointing.min-pause'],
      timeoutMs: options['execution.checkpointing.timeout'],
      tolerableFailures: options['execution.checkpointing.tolerable-failed-checkpoints'],
    },
    checkpointDirectory: directory ?? (intervalMs === undefined && from === undefined ? undefined : DEFAULT_CHECKPOINT_DIRECTORY),
    savepointDirectory: options['execution.checkpointing.savepoint-dir'],
    retainedCheckpoints: options['execution.checkpointing.num-retained'],
    watermarkIntervalMs: options['pipeline.auto-watermark-interval'],
    defaultParallelism: options['parallelism.default'],
    channels: {
      ring: run.ring ?? DEFAULT_RING,
      forceCodec: run.forceCodec ?? false,
      codegen: run.codegen ?? true,
      recordOutputMax: options['exchange.record-output-max'],
    },
    alignBarriers,
    // Without alignment there is nothing to overtake.
    overtakeAfterMs:
      alignBarriers && options['execution.checkpointing.unaligned.enabled']
        ? options['execution.checkpointing.aligned-checkpoint-timeout']
        : undefined,
    restart: restartOptions(options),
    localState: {
      writes: options['execution.checkpointing.local-backup.enabled'],
      reads: options['execution.state-recovery.from-local'],
    },
  };
}

/** Without a type: exponential delay where checkpointing is on, else none; as in Flink. */
function restartOptions(options: ResolvedOptions): RestartStrategyOptions {
  const fallback = options['execution.checkpointing.interval'] === undefined ? 'none' : 'exponential-delay';
  switch (options['restart-strategy.type'] ?? fallback) {
    case 'none':
      return { type: 'none' };
    case 'fixed-delay':
      return {
        type: 'fixed-delay',
        attempts: options['restart-strategy.fixed-delay.attempts'],
        delayMs: options['restart-strategy.fixed-delay.delay'],
      };
    case 'failure-rate':
      return {
        type: 'failure-rate',
        maxFailuresPerInterval: options['restart-strategy.failure-rate.max-failures-per-interval'],
        failureRateIntervalMs: options['restart-strategy.failure-rate.failure-rate-interval'],
        delayMs: options['restart-strategy.failure-rate.delay'],
      };
    case 'exponential-delay': {
      const attempts = options['restart-strategy.exponential-delay.attempts-before-reset-backoff'];
      return {
        type: 'exponential-delay',
        initialBackoffMs: options['restart-strategy.exponential-delay.initial-backoff'],
        maxBackoffMs: options['restart-strategy.exponential-delay.max-backoff'],
        backoffMultiplier: options['restart-strategy.exponential-delay.backoff-multiplier'],
        resetBackoffThresholdMs: options['restart-strategy.exponential-delay.reset-backoff-threshold'],
        jitterFactor: options['restart-strategy.exponential-delay.jitter-factor'],
        ...(attempts !== undefined && { attemptsBeforeResetBackoff: attempts }),
      };
    }
  }
}
