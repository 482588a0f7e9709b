/** Arguments of the commands that measure a cluster's behaviour, and what is counted without one. */
import { expect, test } from 'vitest';
import { countKeys } from './checkpoint-cost.js';
import { bid, eventOfBid } from './generator.js';
import { runRecoveryCommand } from './recovery-commands.js';

const print = (): void => undefined;

test('other commands are left to others', async () => {
  expect(await runRecoveryCommand(['w3'], print)).toBe(false);
  expect(await runRecoveryCommand([], print)).toBe(false);
});

test.each([
  [['recovery', '--state-mb', '0'], "Cannot use --state-mb '0'"],
  [['recovery', '--records', '5'], "Unknown option '--records'"],
  [['failover', '--rate', 'many'], "Cannot use --rate 'many'"],
  [['cluster-start', '--parallelism', '2'], "Unknown option '--parallelism'"],
  [['ten-records', '--runs', '0'], "Cannot use --runs '0'"],
  [['checkpoint-cost', 'w3'], 'Cannot read the arguments of checkpoint-cost'],
])('%j is refused', async (args, message) => {
  await expect(runRecoveryCommand(args, print)).rejects.toThrow(message);
});

test('dirty keys are those between two checkpoints', () => {
  const keysOf = (from: number, to: number): number =>
    new Set(Array.from({ length: to - from }, (_, index) => bid(eventOfBid(from + index)).auction)).size;
  expect(countKeys(3000, 1000, 500)).toEqual({
    keys: keysOf(0, 3000),
    dirtyKeysPerSecond: Math.round(((keysOf(0, 1000) + keysOf(1000, 2000) + keysOf(2000, 3000)) / 3) * 2),
  });
});
