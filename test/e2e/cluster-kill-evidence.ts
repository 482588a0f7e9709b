/**
 * What the disk tells about a kill: which step of a checkpoint was the last that had happened, and how far readers had come. Everything here
 * was written by the processes themselves, so that it is true also of one that is dead.
 */
import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { ReaderProgress } from '../jobs/progress-source.js';

/** The steps of a checkpoint, in their order. */
export const PHASES = ['triggered', 'writing state', 'metadata written', 'record committed', 'committing sinks'] as const;
export type Phase = (typeof PHASES)[number];

/** Where a job leaves its files. */
export interface JobPlaces {
  /** Of its checkpoints. */
  readonly job: string;
  readonly results: string;
  readonly traces: string;
}

function listed(directory: string, pattern: RegExp): string[] {
  try {
    return readdirSync(directory).filter((name) => pattern.test(name));
  } catch {
    return [];
  }
}

/** When the newest of these files was changed (or got its name), as far as that was not later than `until`; ms since 1970. */
function newestChange(paths: readonly string[], until: number): number {
  let newest = Number.NEGATIVE_INFINITY;
  for (const path of paths) {
    // Files come and go meanwhile.
    const changedAt = statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? newest;
    if (changedAt > newest && changedAt <= until) newest = changedAt;
  }
  return newest;
}

function highest(names: readonly string[]): string[] {
  const numberOf = (name: string): number => Number(/\d+$/.exec(name)?.[0]);
  return names.toSorted((left, right) => numberOf(left) - numberOf(right)).slice(-1);
}

/** Which files show that a step has happened. */
function filesOf(phase: Phase, { job, results, traces }: JobPlaces): string[] {
  switch (phase) {
    case 'triggered':
      return listed(join(traces, 'barriers'), /./).map((name) => join(traces, 'barriers', name));
    case 'writing state':
      return listed(join(job, 'shared'), /./).map((name) => join(job, 'shared', name));
    case 'metadata written':
      return highest(listed(job, /^chk-\d+$/)).map((name) => join(job, name, '_metadata'));
    case 'record committed':
      return highest(listed(job, /^job\.\d+$/)).map((name) => join(job, name));
    case 'committing sinks':
      return listed(results, /\.jsonl$/).map((name) => join(results, name));
  }
}

/** The step that happened last before a moment, as exactly as the system notes times: to some milliseconds. */
export function lastStep(places: JobPlaces, until: number): Phase {
  const changes = PHASES.map((phase) => newestChange(filesOf(phase, places), until));
  let last = 0;
  // Of two at the same time the later step.
  for (const [index, change] of changes.entries()) if (change >= (changes[last] as number)) last = index;
  return PHASES[last] as Phase;
}

/** When a barrier last reached a source, and when a source last emitted; ms since 1970. */
export function lastSigns(places: JobPlaces): { readonly triggeredAt: number; readonly emittedAt: number } {
  const readers = join(places.traces, 'readers');
  return {
    triggeredAt: newestChange(filesOf('triggered', places), Number.POSITIVE_INFINITY),
    emittedAt: newestChange(
      listed(readers, /./).map((name) => join(readers, name)),
      Number.POSITIVE_INFINITY,
    ),
  };
}

/** Directory, and the name in it that shows a step. */
function signOf(phase: Phase, { job, results, traces }: JobPlaces): { readonly directory: string; readonly name: RegExp } {
  switch (phase) {
    case 'triggered':
      return { directory: join(traces, 'barriers'), name: /./ };
    case 'writing state':
      return { directory: join(job, 'shared'), name: /./ };
    case 'metadata written':
      return { directory: job, name: /^chk-\d+$/ };
    case 'record committed':
      return { directory: job, name: /^job\.\d+$/ };
    case 'committing sinks':
      return { directory: results, name: /\.jsonl$/ };
  }
}

/** Calls back each time when a step happens, as soon as the system tells of it, until the callback returns true. */
export async function atStep(phase: Phase, places: JobPlaces, act: () => boolean): Promise<void> {
  const { directory, name } = signOf(phase, places);
  let watcher: FSWatcher | undefined;
  let done = false;
  try {
    await new Promise<void>((resolve, reject) => {
      watcher = watch(directory, (_event, changed) => {
        if (done || changed === null || !name.test(changed)) return;
        // Of a checkpoint's directory its name comes first: whether the metadata are there is looked at until they are.
        if (phase === 'metadata written' && !waitForContent(join(directory, changed, '_metadata'))) return;
        done = act();
        if (done) resolve();
      });
      watcher.once('error', reject);
    });
  } finally {
    watcher?.close();
  }
}

/** Looks at a file for a moment, without giving way to anything. */
function waitForContent(path: string): boolean {
  for (let look = 0; look < 2000; look++) if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return true;
  return false;
}

/** What all readers have left, the newest last. */
export function readerTraces({ traces }: JobPlaces): ReaderProgress[] {
  const directory = join(traces, 'readers');
  return listed(directory, /./)
    .flatMap((name) => {
      const text = readFileSync(join(directory, name), 'utf8').trim();
      return text === '' ? [] : [JSON.parse(text) as ReaderProgress];
    })
    .sort((left, right) => left.openedAt - right.openedAt);
}

/** When an attempt's first line left its operator, for each subtask of each attempt; ms since 1970. */
export function firstOutputs({ traces }: JobPlaces): number[] {
  const directory = join(traces, 'outputs');
  return listed(directory, /./)
    .map((name) => Number(readFileSync(join(directory, name), 'utf8')))
    .filter((at) => at > 0)
    .sort((left, right) => left - right);
}

/** Records that an attempt had read and the next one reads again: of each split, from where the next attempt begins. */
export function replayedRecords(before: readonly ReaderProgress[], after: readonly ReaderProgress[]): number {
  const reached = new Map<string, number>();
  for (const { splits } of before) for (const [id, { next }] of Object.entries(splits)) reached.set(id, next);
  let replayed = 0;
  for (const { splits } of after)
    for (const [id, { first, step }] of Object.entries(splits)) replayed += Math.max(0, ((reached.get(id) ?? first) - first) / step);
  return replayed;
}
