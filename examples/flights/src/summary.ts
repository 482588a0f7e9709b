/** Reads the result files of a run and says what is in them. Means are computed here, for print; the job has integers only. */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DelaysByHour } from './delays-by-hour.js';
import type { Disruption } from './disruptions.js';
import { HOUR_MS } from './flight.js';
import { QUERIES } from './results.js';
import type { Silence } from './silences.js';
import type { WorstOrigin } from './worst-origins.js';

/** A text of some lines about the results in a directory. */
export async function summarize(directory: string): Promise<string> {
  const lines = [
    await summarizeHours(join(directory, QUERIES.delaysByHour)),
    await summarizeWorst(join(directory, QUERIES.worstOrigins)),
    await summarizeDisruptions(join(directory, QUERIES.disruptions)),
    await summarizeSilences(join(directory, QUERIES.silences)),
    await summarizeLate(join(directory, QUERIES.late)),
  ];
  return lines.join('\n');
}

/** The records of all committed files in a directory and below. */
async function* records<T>(directory: string): AsyncGenerator<T> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* records<T>(path);
    else if (entry.name.endsWith('.jsonl')) {
      for await (const line of createInterface({ input: createReadStream(path) })) yield JSON.parse(line) as T;
    }
  }
}

interface OriginTotal {
  readonly origin: string;
  flights: number;
  delaySum: number;
}

async function summarizeHours(directory: string): Promise<string> {
  const totals = new Map<string, OriginTotal>();
  let windows = 0;
  let flights = 0;
  let over15 = 0;
  for await (const hour of records<DelaysByHour>(directory)) {
    windows++;
    flights += hour.flights;
    over15 += hour.over15;
    const total = totals.get(hour.origin) ?? { origin: hour.origin, flights: 0, delaySum: 0 };
    total.flights += hour.flights;
    total.delaySum += hour.delaySum;
    totals.set(hour.origin, total);
  }
  if (windows === 0) return '(a) delays by hour:  none';
  const busiest = [...totals.values()].sort((left, right) => right.flights - left.flights).slice(0, 5);
  const means = busiest.map(({ origin, flights, delaySum }) => `${origin} ${(delaySum / flights).toFixed(1)}`);
  return [
    `(a) delays by hour:  ${count(windows)} hours of ${count(totals.size)} origins, ${count(flights)} flights, ${percent(over15, flights)} over 15 minutes late`,
    `                     mean delay of the five busiest, minutes: ${means.join(', ')}`,
  ].join('\n');
}

async function summarizeWorst(directory: string): Promise<string> {
  const days = new Map<string, number>();
  let worst: WorstOrigin | undefined;
  for await (const origin of records<WorstOrigin>(directory)) {
    if (origin.rank === 1) days.set(origin.origin, (days.get(origin.origin) ?? 0) + 1);
    if (worst === undefined || origin.delaySum > worst.delaySum) worst = origin;
  }
  const often = [...days].sort(([, left], [, right]) => right - left).slice(0, 3);
  const titles = often.map(([origin, days]) => `${origin} ${days}`);
  if (worst === undefined) return '(b) worst origins:   none';
  return [
    `(b) worst origins:   days as the worst of all: ${titles.join(', ')}`,
    `                     worst day: ${worst.origin} (${worst.city}, ${worst.state}) on ${day(worst.day)}, ${count(worst.delaySum)} minutes of delay`,
  ].join('\n');
}

async function summarizeDisruptions(directory: string): Promise<string> {
  let windows = 0;
  let largest: Disruption | undefined;
  for await (const disruption of records<Disruption>(directory)) {
    windows++;
    if (largest === undefined || disruption.delayed > largest.delayed) largest = disruption;
  }
  if (largest === undefined) return '(c) disruptions:     none';
  return `(c) disruptions:     ${count(windows)} windows; largest: ${largest.origin} (${largest.city}, ${largest.state}), three hours from ${minute(largest.start)}, ${largest.delayed} flights over an hour late`;
}

async function summarizeSilences(directory: string): Promise<string> {
  let silences = 0;
  let longest: Silence | undefined;
  for await (const silence of records<Silence>(directory)) {
    silences++;
    if (longest === undefined || silence.end - silence.start > longest.end - longest.start) longest = silence;
  }
  if (longest === undefined) return '(d) silences:        none';
  const hours = Math.floor((longest.end - longest.start) / HOUR_MS);
  return `(d) silences:        ${count(silences)}; longest: ${longest.origin} from ${minute(longest.start)}, ${count(hours)} hours`;
}

async function summarizeLate(directory: string): Promise<string> {
  let late = 0;
  for await (const _ of records<unknown>(directory)) late++;
  return `(e) late records:    ${count(late)}, at least 30 days behind`;
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function minute(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}
