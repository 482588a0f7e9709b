/** Which settings a run makes of its job's options. */
import { describe, expect, it } from 'vitest';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import { discardingSink } from '../connector/print-sink.js';
import { type RunSettings, runSettings } from './job-settings.js';

function settings(options: Readonly<Record<string, unknown>>): RunSettings {
  const job = new JobBuilder(streams, { mode: 'client', parameters: {}, options });
  new StreamExecutionEnvironment(job).fromSequence(1, 2).sinkTo(discardingSink());
  return runSettings(job.build('settings').plan, {});
}

const key = (name: string): string => `execution.checkpointing.${name}`;

describe('the settings of a run', () => {
  it('have what the options say of checkpoints', () => {
    const { checkpoints } = settings({
      [key('interval')]: '2 s',
      [key('min-pause')]: '500 ms',
      [key('timeout')]: '1 min',
      [key('tolerable-failed-checkpoints')]: 3,
    });
    expect(checkpoints).toEqual({ intervalMs: 2000, minPauseMs: 500, timeoutMs: 60_000, tolerableFailures: 3 });
  });

  it.each([
    [{}, true, undefined],
    [{ 'unaligned.enabled': true }, true, 0],
    [{ 'unaligned.enabled': true, 'aligned-checkpoint-timeout': '3 s' }, true, 3000],
    [{ 'aligned-checkpoint-timeout': '3 s' }, true, undefined],
    [{ mode: 'AT_LEAST_ONCE' }, false, undefined],
    [{ mode: 'AT_LEAST_ONCE', 'unaligned.enabled': true }, false, undefined],
  ])('with %j: barriers align %s, and may overtake after %s ms', (options, alignBarriers, overtakeAfterMs) => {
    const given = Object.fromEntries(Object.entries(options).map(([name, value]) => [key(name), value]));
    expect(settings(given)).toMatchObject({ alignBarriers, overtakeAfterMs });
  });
});
