/**
 * Faults as data: what happens to whom, and when. A plan is drawn from a seed, or written by hand; `fault-kinds.ts` says what each type
 * does, and is where another type is added.
 */
import { type Random, seededRandom } from '../../common/random.js';
import { FAULT_KINDS, type FaultBody } from './fault-kinds.js';
import type { ClockSkew } from './process-clock.js';

/** When a fault begins: at a time, or shortly after the n-th event of a kind in the trace, as 'slot acknowledged' or 'disk link'. */
export type FaultTrigger =
  | { readonly atMs: number }
  | { readonly event: string; readonly count: number /** After it, ms. */; readonly delayMs: number };

/** One fault of a plan. */
export interface ClusterFault {
  readonly trigger: FaultTrigger;
  readonly body: FaultBody;
}

/** Everything that goes wrong in a simulation. */
export interface ClusterFaultPlan {
  readonly faults: readonly ClusterFault[];
  /** Of hosts' clocks. */
  readonly skews: Readonly<Record<string, ClockSkew>>;
}

/** A plan without faults. */
export const NO_FAULTS: ClusterFaultPlan = { faults: [], skews: {} };

/** The hosts of a cluster. */
export interface ClusterHosts {
  readonly jobManagers: readonly string[];
  readonly taskManagers: readonly string[];
}

/** Events that faults wait for, the moments at which a protocol is between two of its steps; and how many of them are waited for at most. */
const MOMENTS: readonly (readonly [event: string, countMax: number])[] = [
  ['job started', 2],
  ['leader granted', 2],
  ['registered', 4],
  ['attempt opened', 6],
  ['slot deploy', 10],
  ['slot deployed', 10],
  ['slot start', 10],
  ['slot trigger', 80],
  ['slot acknowledged', 200],
  ['slot complete', 80],
  ['slot committed', 80],
  ['slot ended', 15],
  ['slot cancel', 10],
  ['disk create', 300],
  ['disk link', 300],
  ['disk unlink', 300],
  ['disk syncDirectory', 500],
  ['process started', 7],
  ['leader revoked', 1],
];
const DELAY_MS = 4;
const OFFSET_MS = 60_000;
const RATE = 0.01;

/** The plan of a seed: three to eight faults that begin within `untilMs`, on clocks that differ. */
export function drawFaultPlan(seed: number, hosts: ClusterHosts, untilMs: number): ClusterFaultPlan {
  const random = seededRandom(seed ^ 0x5eed);
  const types = Object.values(FAULT_KINDS);
  const faults = Array.from({ length: 3 + random.below(6) }, () => {
    const kind = types[random.below(types.length)] as (typeof types)[number];
    return { trigger: drawTrigger(random, untilMs), body: kind.draw(random, hosts) };
  });
  const skews = Object.fromEntries(
    [...hosts.jobManagers, ...hosts.taskManagers].map((host) => [
      host,
      { offsetMs: Math.round((random.unit() - 0.5) * 2 * OFFSET_MS), rate: 1 + (random.unit() - 0.5) * 2 * RATE },
    ]),
  );
  return { faults, skews };
}

function drawTrigger(random: Random, untilMs: number): FaultTrigger {
  if (random.below(2) === 0) return { atMs: Math.round(random.unit() * untilMs) };
  const [event, countMax] = MOMENTS[random.below(MOMENTS.length)] as (typeof MOMENTS)[number];
  return { event, count: 1 + random.below(countMax), delayMs: random.below(4) === 0 ? 0 : random.unit() * DELAY_MS };
}

/** In one line, for people. */
export function describeFault({ trigger, body }: ClusterFault): string {
  const when =
    'atMs' in trigger ? `at ${trigger.atMs} ms` : `${trigger.delayMs.toFixed(2)} ms after event ${trigger.count} '${trigger.event}'`;
  const { type, ...rest } = body;
  const details = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? Math.round(value * 100) / 100 : value}`,
  );
  return `${type} ${details.join(', ')}${details.length > 0 ? ', ' : ''}${when}`;
}
