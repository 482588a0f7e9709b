import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveConfiguration } from 'millstream/cluster';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { localStateDirectory, processName, removeLeftoverCopies } from './leftover-copies.js';
import { createLog } from './process-log.js';
import { startTaskManager } from './task-manager-process.js';

let root: string;
/** The number of a process that has ended. */
let deadPid: number;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'millstream-leftovers-'));
  const child = spawn(process.execPath, ['--eval', '']);
  deadPid = child.pid as number;
  await once(child, 'exit');
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

/** A directory with a copy for each TaskManager. */
function directoryOf(name: string, ...taskManagers: readonly string[]): string {
  const directory = join(root, name);
  mkdirSync(directory);
  for (const each of taskManagers) {
    const run = join(localStateDirectory(directory, each), 'run');
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, 'state.keyed'), 'state');
  }
  return directory;
}

it('of dead processes of this machine are removed, and nothing else', async () => {
  const dead = `${hostname()}-${deadPid}`;
  const kept = [processName(1), `${hostname()}-${process.ppid}`, `elsewhere-${deadPid}`, 'resource-1', `${hostname()}-resource-${deadPid}`];
  const shared = directoryOf('shared', dead, processName(), ...kept);
  mkdirSync(join(shared, dead));
  const temporary = directoryOf('millstream-taskmanager-mine');
  const killed = directoryOf('millstream-taskmanager-killed', dead);
  writeFileSync(join(killed, 'programs'), '');
  const foreign = directoryOf('millstream-jobmanager-else', dead);
  writeFileSync(join(root, 'millstream-taskmanager-file'), '');
  await removeLeftoverCopies(shared, temporary);
  expect(readdirSync(shared)).toEqual([...kept.map((name) => `local-state-${name}`), dead].toSorted());
  expect(readdirSync(killed)).toEqual(['programs']);
  expect(readdirSync(foreign)).toEqual([`local-state-${dead}`]);
  for (const name of kept) expect(readdirSync(join(localStateDirectory(shared, name), 'run'))).toEqual(['state.keyed']);
});

it('have different names in containers on one network, where each is process 1', () => {
  expect(processName(1)).not.toBe(processName(1));
  expect(processName(2)).toBe(processName(2));
});

it('are looked for in vain where there is nothing', async () => {
  await removeLeftoverCopies(join(root, 'missing'), join(root, 'missing', 'temporary'));
});

it('are removed by a TaskManager that starts', async () => {
  const directory = directoryOf('configured', `${hostname()}-${deadPid}`);
  const set = {
    'execution.checkpointing.local-backup.dirs': directory,
    'io.tmp.dirs': root,
    'jobmanager.rpc.port': '1',
    'env.log.level': 'ERROR',
  };
  const origin = { layer: 'file', file: 'config.yaml', line: 1, column: 1 } as const;
  const { options } = resolveConfiguration(Object.entries(set).map(([key, input]) => ({ key, input, origin })));
  const taskManager = await startTaskManager(options, createLog(options, 'taskmanager'));
  try {
    expect(readdirSync(directory)).toEqual([]);
  } finally {
    await taskManager.stop();
  }
});
