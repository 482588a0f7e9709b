/**
 * A whole cluster on virtual time, with faults by seed. A seed that fails says how to see it again:
 *
 *     MILLSTREAM_SEED=17 npx vitest run test/simulation        that seed alone, every milestone as it happens
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type ClusterFault,
  type ClusterFaultPlan,
  ClusterSimulation,
  type ClusterSimulationOptions,
  NO_FAULTS,
  requireSound,
  type SimulationReport,
} from 'millstream/testing';
import { afterAll, describe, expect, it } from 'vitest';
import regions, { expectedLines as expectedOfRegions } from '../jobs/regions.js';
import job, { expectedLines } from './simulated-job.js';

const SEEDS = 50;
const only = process.env.MILLSTREAM_SEED;
const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, index) => index + 1) : [Number(only)];
const expected = expectedLines();

async function simulate(seed: number, options: Partial<ClusterSimulationOptions> = {}): Promise<SimulationReport> {
  return await new ClusterSimulation({ seed, job, expected, print: only !== undefined, ...options }).run();
}

function plan(...faults: readonly ClusterFault[]): { readonly faults: ClusterFaultPlan } {
  return { faults: { ...NO_FAULTS, faults } };
}

const LEADER_KILLED = { type: 'kill', host: 'leader', silent: false, downMs: 500 } as const;

describe('a simulated cluster', () => {
  const reports: SimulationReport[] = [];

  it.each(seeds)('seed %i: has every result once, whatever fails', async (seed) => {
    const report = await simulate(seed);
    reports.push(report);
    requireSound(report);
  });

  afterAll(() => {
    if (only !== undefined || reports.length < SEEDS) return;
    // Faults that change nothing would show nothing.
    const effective = new Set(reports.flatMap(({ faults }) => faults.filter(({ effects }) => effects > 0).map(({ type }) => type)));
    expect([...effective].sort()).toEqual(
      ['breakConnections', 'failDisk', 'kill', 'partition', 'pause', 'powerLoss', 'slowDisk', 'slowLink'].sort(),
    );
    expect(reports.filter(({ attempts }) => attempts > 1).length).toBeGreaterThan(SEEDS / 2);
    expect(reports.filter(({ leaders }) => leaders > 1).length).toBeGreaterThan(SEEDS / 5);
  });
});

describe('a simulated cluster with a job of four regions', () => {
  const REGION_SEEDS = 30;
  const reports: SimulationReport[] = [];

  it.each(only === undefined ? seeds.slice(0, REGION_SEEDS) : seeds)('seed %i: has every result once, whatever fails', async (seed) => {
    const report = await simulate(seed, { job: regions, expected: expectedOfRegions() });
    reports.push(report);
    requireSound(report);
  });

  afterAll(() => {
    if (only !== undefined || reports.length < REGION_SEEDS) return;
    // Some regions alone in most seeds, and all of the job now and then.
    expect(reports.filter(({ regionRestarts }) => regionRestarts > 0).length).toBeGreaterThan(REGION_SEEDS / 2);
    expect(reports.filter(({ attempts, regionRestarts }) => attempts - 1 > regionRestarts).length).toBeGreaterThan(REGION_SEEDS / 3);
  });
});

describe('a simulation', () => {
  it('is the same each time, in every process', async () => {
    const runSeed = fileURLToPath(new URL('../dist/simulation/run-seed.js', import.meta.url));
    const [first, second, other] = [await simulate(7), await simulate(7), await simulate(8)];
    const { stdout } = await promisify(execFile)(process.execPath, [runSeed, '7']);
    expect(second).toEqual(first);
    expect(stdout).toContain(`${first.events} events (${first.hash})`);
    expect(other.hash).not.toBe(first.hash);
  });

  it('finds state that no checkpoint has', async () => {
    const failure = { trigger: { event: 'slot committed', count: 20, delayMs: 0 }, body: { ...LEADER_KILLED, host: 'taskmanager-0' } };
    const report = await simulate(1, { parameters: { forgetful: 'true' }, ...plan(failure) });
    expect(report.violations).toEqual([
      expect.stringMatching(/results are missing/),
      expect.stringMatching(/results are there though they should not be, or too often/),
    ]);
  });

  it('finds a result that should not be there', async () => {
    const report = await simulate(1, { expected: expected.slice(1), faults: NO_FAULTS });
    expect(() => requireSound(report)).toThrow(/^seed 1 failed: rerun with MILLSTREAM_SEED=1\n {2}! 1 results are there/);
  });
});

describe('a job that has just finished', () => {
  it.each([
    ['job ended', 1, 0],
    ['slot cancelled', 5, 20],
    ['attempt ended', 3, 40],
  ])("is not run again when its leader dies after event '%s' (%i), %i ms", async (event, count, delayMs) => {
    const report = await simulate(3, plan({ trigger: { event, count, delayMs }, body: LEADER_KILLED }));
    requireSound(report);
    expect(report.leaders).toBe(2);
  });
});
