/** `executeAndCollect` with a limit ends an endless job as soon as so many results are there. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, millstream } from './command.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-collect-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function collect(settings: readonly string[], parameters: readonly string[] = []): Promise<Ended> {
  return await millstream(['run', ...settings, 'test/jobs/collect-endless.ts', '--', '--limit', '300', '--rate', '2000', ...parameters]);
}

function numbersIn({ code, stdout, stderr }: Ended): number[] {
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout) as number[];
}

function first(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

const DISTANT = ['--checkpoint-interval', '1 h'];

describe('collecting from an endless stream', () => {
  it.each([
    ['without checkpoints', []],
    ['with a checkpoint directory and no interval', ['--checkpoint-dir', 'DIRECTORY']],
    ['with periodic checkpoints that come too late', ['--checkpoint-dir', 'DIRECTORY', ...DISTANT]],
  ])('%s ends at the limit', async (_, settings) => {
    const checkpoints = join(directory, 'checkpoints');
    const ended = await collect(settings.map((word) => (word === 'DIRECTORY' ? checkpoints : word)));
    expect(numbersIn(ended)).toEqual(first(300));
    if (existsSync(checkpoints)) expect(readdirSync(checkpoints)).toEqual([]);
  });

  it('at parallelism 2 ends at the limit, with each result once', async () => {
    const numbers = numbersIn(await collect(['-p', '2']));
    expect(numbers.length).toBe(300);
    expect(new Set(numbers).size).toBe(300);
  });

  it('after a restart from a checkpoint has each result once', async () => {
    const settings = ['--checkpoint-dir', join(directory, 'checkpoints'), '--checkpoint-interval', '20 ms'];
    const restart = ['-D', 'restart-strategy.type=fixed-delay', '-D', 'restart-strategy.fixed-delay.delay=1 ms'];
    const marker = join(directory, 'failed');
    const ended = await collect([...settings, ...restart], ['--fail', '200', '--marker', marker]);
    expect(existsSync(marker)).toBe(true);
    expect(ended.stderr).toContain('number 200');
    expect(numbersIn(ended)).toEqual(first(300));
  });

  it('without checkpoints begins anew after a restart', async () => {
    const restart = ['-D', 'restart-strategy.type=fixed-delay', '-D', 'restart-strategy.fixed-delay.delay=1 ms'];
    const ended = await collect(restart, ['--fail', '200', '--marker', join(directory, 'failed')]);
    expect(ended.stderr).toContain('number 200');
    expect(numbersIn(ended)).toEqual(first(300));
  });

  it('of no records at all is refused', async () => {
    const { code, stderr } = await millstream(['run', 'test/jobs/collect-endless.ts', '--', '--limit', '0']);
    expect(code).toBe(1);
    expect(stderr).toContain('INVALID_OPTION: Cannot collect 0 records');
  });
});
