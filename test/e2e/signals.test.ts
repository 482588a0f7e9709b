/** SIGINT and SIGTERM, with real processes. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scheduler } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCount } from '../jobs/running-counts.js';
import { type Ended, type Running, startMillstream, startNode } from './command.js';
import { readLines } from './run-job.js';

const PROGRAM = 'test/jobs/running-counts.ts';
const COMPILED = fileURLToPath(new URL('../dist/jobs/running-counts.js', import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-signals-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const RECORDS = 60_000;

/** A run that does not end before it is stopped: half of its records wait for a file. */
function start(options: readonly string[]): Running {
  const parameters = ['--records', `${RECORDS}`, '--rate', '20000', '--results', results(), '--until', goOn()];
  return startMillstream(['run', '-p', '2', ...options, PROGRAM, '--', ...parameters]);
}

function results(): string {
  return join(directory, 'results');
}

function goOn(): string {
  return join(directory, 'go on');
}

function checkpointing(): string[] {
  return ['--checkpoint-dir', join(directory, 'checkpoints'), '--checkpoint-interval', '100 ms'];
}

async function untilFile(parent: string, pattern: RegExp): Promise<void> {
  while (!existsSync(parent) || !readdirSync(parent, { recursive: true }).some((name) => pattern.test(String(name))))
    await scheduler.wait(20);
}

/** Runs what the message says, as a shell would; but as fast as it can, and to the end. */
async function resume(stderr: string): Promise<Ended> {
  writeFileSync(goOn(), '');
  const command = /^Resume with: npx millstream (.+)$/m.exec(stderr)?.[1] ?? '';
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  words[words.indexOf('--rate') + 1] = '0';
  return await startMillstream(words).ended;
}

describe('a signal', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s keeps a checkpoint; the resume command in the message goes on from it, exactly once',
    async (signal) => {
      const run = start(checkpointing());
      await untilFile(results(), /running\/.*\.jsonl$/);
      run.child.kill(signal);
      const stopped = await run.ended;
      expect(stopped).toMatchObject({ code: 0, signal: null, stdout: '' });
      expect(stopped.stderr).toMatch(
        new RegExp(`Stopping \\(${signal}\\)[\\s\\S]*\\nStopped after [\\s\\S]*\\nResume with: npx millstream run --from `),
      );
      const partial = readLines<RunningCount>(join(results(), 'running')).length;
      expect(partial).toBeLessThan(RECORDS);
      const resumed = await resume(stopped.stderr);
      expect(resumed.stderr).toContain('Starting from checkpoint');
      expect(resumed.code).toBe(0);
      const counts = readLines<RunningCount>(join(results(), 'running'));
      expect(counts.length).toBe(RECORDS);
      expect(new Set(counts.map(({ key, count }) => `${key}/${count}`)).size).toBe(RECORDS);
    },
  );

  it('without a checkpoint directory cancels, and says how to keep something', async () => {
    const run = start([]);
    await run.shows('is running');
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(
      /Cancelled after [\s\S]*Nothing was kept: the job has no checkpoint directory\. With --checkpoint-dir <directory>/,
    );
  });

  it('in a pause between restarts ends with the last checkpoint', async () => {
    const run = startMillstream([
      ...['run', ...checkpointing(), '-D', 'restart-strategy.type=fixed-delay', '-D', 'restart-strategy.fixed-delay.delay=1 h'],
      ...['test/jobs/keyed-sums.ts', '--', '--records', '1000000', '--rate', '20000', '--poison', '10000', '--results', results()],
    ]);
    await run.shows('Restarting in');
    run.child.kill('SIGTERM');
    const { code, stderr } = await run.ended;
    expect(code).toBe(143);
    expect(stderr).toMatch(/Cancelled after [\s\S]*Resume from the last checkpoint with: npx millstream run --from /);
  });

  it('that comes a second time ends the process at once', async () => {
    // Where a record blocks its slot the first signal waits for it in vain.
    const run = startMillstream(['run', ...checkpointing(), 'test/jobs/blocking.ts']);
    await run.shows('blocked');
    run.child.kill('SIGINT');
    // One that follows at once is the same one, passed on by a parent. Which of two is heard first is the system's choice.
    run.child.kill('SIGTERM');
    await run.shows('Stopping (SIG');
    await scheduler.wait(300);
    expect(run.child.exitCode).toBeNull();
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    // Cleanly it would have waited for the slot, and told how the run has ended.
    expect(stderr).not.toMatch(/CLOSE_TIMEOUT|Cancelled after|Stopped after/);
  });

  it('stops a program under plain node too', async () => {
    const run = startNode([COMPILED, '--records', '10000000', '--rate', '20000', '--results', results()]);
    await untilFile(results(), /pending$/);
    run.child.kill('SIGTERM');
    const { code, stderr } = await run.ended;
    expect({ code, stderr }).toEqual({
      code: 143,
      stderr: 'Cancelled; nothing was kept. Set execution.checkpointing.dir for a checkpoint to resume from.\n',
    });
  });

  it('is left to a program that listens itself', async () => {
    const run = startNode(['--input-type=module', '--eval', listening()]);
    await run.shows('job runs');
    run.child.kill('SIGINT');
    expect(await run.ended).toMatchObject({ code: 7, stdout: 'job runs\nheard SIGINT\n' });
  });
});

function listening(): string {
  return `
    import { evaluateModule, LocalExecutor, SILENT_OBSERVER } from 'millstream/cluster';
    process.on('SIGINT', (signal) => { console.log('heard', signal); process.exit(7); });
    const parameters = { records: '10000000', rate: '1000', results: ${JSON.stringify(results())} };
    const program = await evaluateModule({ mode: 'client', parameters, options: {} }, () => import(${JSON.stringify(COMPILED)}));
    const observer = { ...SILENT_OBSERVER, running: () => console.log('job runs') };
    await new LocalExecutor({ moduleUrl: 'file://' + ${JSON.stringify(COMPILED)}, observer, stopOnSignals: true }).execute(program);`;
}
