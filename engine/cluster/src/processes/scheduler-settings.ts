/** How the jobs of a cluster get their slots, as its configuration says. */
import type { Configuration, SchedulerSettings } from 'millstream/cluster';

const WAIT_TIMEOUT = 'jobmanager.adaptive-scheduler.submission.resource-wait-timeout';
const STABILIZATION_TIMEOUT = 'jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout';

/** Reactive mode has other defaults than the adaptive scheduler: it waits for ever, and starts with the first slot. */
export function schedulerSettings({ options, origins }: Configuration): SchedulerSettings {
  const reactive = options['scheduler-mode'] === 'reactive';
  if (!reactive && options['jobmanager.scheduler'] === 'Default') {
    return {
      type: 'Default',
      slotRequestTimeoutMs: options['slot.request.timeout'],
      failover: options['jobmanager.execution.failover-strategy'],
    };
  }
  const waitTimeoutMs = options[WAIT_TIMEOUT];
  return {
    type: 'Adaptive',
    reactive,
    preferMinimalTaskManagers: options['jobmanager.adaptive-scheduler.prefer-minimal-taskmanagers'],
    waitTimeoutMs: waitTimeoutMs < 0 || (reactive && !origins.has(WAIT_TIMEOUT)) ? undefined : waitTimeoutMs,
    submissionStabilizationMs: reactive && !origins.has(STABILIZATION_TIMEOUT) ? 0 : options[STABILIZATION_TIMEOUT],
    executingStabilizationMs: options['jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout'],
    cooldownMs: options['jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling'],
    minParallelismIncrease: options['jobmanager.adaptive-scheduler.min-parallelism-increase'],
    maxCheckpointFailures: options['jobmanager.adaptive-scheduler.rescale-trigger.max-checkpoint-failures'],
    maxTriggerDelayMs: options['jobmanager.adaptive-scheduler.rescale-trigger.max-delay'],
  };
}
