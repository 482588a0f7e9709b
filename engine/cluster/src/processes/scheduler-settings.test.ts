import { resolveConfiguration } from 'millstream/cluster';
import { describe, expect, it } from 'vitest';
import { schedulerSettings } from './scheduler-settings.js';

function settings(given: Readonly<Record<string, string>>): ReturnType<typeof schedulerSettings> {
  return schedulerSettings(
    resolveConfiguration(Object.entries(given).map(([key, input]) => ({ key, input, origin: { layer: 'define' } }))),
  );
}

describe('the scheduler of a cluster', () => {
  it('is the default one, with its waiting time and what restarts', () => {
    expect(settings({ 'slot.request.timeout': '3 s' })).toEqual({ type: 'Default', slotRequestTimeoutMs: 3000, failover: 'region' });
    expect(settings({ 'jobmanager.execution.failover-strategy': 'full' })).toMatchObject({ failover: 'full' });
  });

  it('waits for ever and starts at once in reactive mode, unless it is told otherwise', () => {
    expect(settings({ 'scheduler-mode': 'reactive' })).toMatchObject({
      type: 'Adaptive',
      reactive: true,
      waitTimeoutMs: undefined,
      submissionStabilizationMs: 0,
    });
    const told = settings({
      'scheduler-mode': 'reactive',
      'jobmanager.adaptive-scheduler.submission.resource-wait-timeout': '2 s',
      'jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout': '1 s',
    });
    expect(told).toMatchObject({ waitTimeoutMs: 2000, submissionStabilizationMs: 1000 });
  });

  it('has the defaults of Flink', () => {
    expect(settings({ 'jobmanager.scheduler': 'Adaptive' })).toEqual({
      type: 'Adaptive',
      reactive: false,
      preferMinimalTaskManagers: true,
      waitTimeoutMs: 300_000,
      submissionStabilizationMs: 10_000,
      executingStabilizationMs: 60_000,
      cooldownMs: 30_000,
      minParallelismIncrease: 1,
      maxCheckpointFailures: 2,
      maxTriggerDelayMs: undefined,
    });
    expect(
      settings({ 'jobmanager.scheduler': 'Adaptive', 'jobmanager.adaptive-scheduler.submission.resource-wait-timeout': '-1' }),
    ).toMatchObject({ waitTimeoutMs: undefined });
  });
});
