/**
 * Twenty times `kill -9` under one running job, of TaskManagers and of the leader, at every step of a checkpoint: what is committed in the
 * end is what the input says, record by record. Prints how each kill went, and leaves it in results/cluster-kills.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { seededRandom } from 'millstream/testing';
import { expect, it } from 'vitest';
import { type CountedRecord, countedRecord } from '../jobs/killed-counts.js';
import { PHASES } from './cluster-kill-evidence.js';
import { type Kill, KillCampaign, type Victim } from './cluster-kills.js';
import { readLines } from './run-job.js';

const SEED = Number(process.env.MILLSTREAM_SEED ?? 1);
const RECORDS = 1_000_000;
const VICTIMS: readonly Victim[] = ['TaskManager', 'JobManager'];

/** Each victim at each step, twice, in an order by seed. */
function plan(): { readonly victim: Victim; readonly phase: (typeof PHASES)[number] }[] {
  const kills = [0, 1].flatMap(() => VICTIMS.flatMap((victim) => PHASES.map((phase) => ({ victim, phase }))));
  const random = seededRandom(SEED);
  for (let index = kills.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [kills[index], kills[other]] = [kills[other] as (typeof kills)[0], kills[index] as (typeof kills)[0]];
  }
  return kills;
}

/** The first few indices that are not in the results exactly once with the line that they must have. */
function differences(results: string): string[] {
  const seen = new Uint8Array(RECORDS);
  const wrong: string[] = [];
  for (const line of readLines<CountedRecord>(results)) {
    const expected = countedRecord(line.index);
    const isRight = line.key === expected.key && line.count === expected.count && line.sum === expected.sum;
    if (!isRight) wrong.push(`${JSON.stringify(line)} instead of ${JSON.stringify(expected)}`);
    seen[line.index] = (seen[line.index] ?? 0) + 1;
  }
  for (const [index, count] of seen.entries()) if (count !== 1) wrong.push(`record ${index}: ${count} times`);
  return wrong.slice(0, 10);
}

function report(kills: readonly Kill[]): void {
  const file = fileURLToPath(new URL('../../results/cluster-kills.json', import.meta.url));
  mkdirSync(fileURLToPath(new URL('../../results', import.meta.url)), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ seed: SEED, kills }, undefined, 2)}\n`);
  console.table(kills);
}

it('survives twenty kills of its processes exactly once', { timeout: 400_000 }, async () => {
  const campaign = new KillCampaign({ records: RECORDS, recordsPerSecond: 4000 });
  const kills: Kill[] = [];
  try {
    await campaign.start();
    for (const { victim, phase } of plan()) kills.push(await campaign.kill(victim, phase));
    expect(await campaign.finish()).toBe('FINISHED');
    expect(differences(campaign.results)).toEqual([]);
  } finally {
    report(kills);
    await campaign.stop();
  }
  expect(kills.filter(({ recordsReplayed }) => recordsReplayed > 0).length).toBeGreaterThanOrEqual(18);
  expect(kills.filter(({ othersLost }) => othersLost > 0)).toEqual([]);
});
