import { describe, expect, it } from 'vitest';
import { resumeCommand } from './run-command.js';

describe('resumeCommand', () => {
  it.each([
    [['run', 'job.ts'], 'npx millstream run --from c/chk-7 job.ts'],
    [['run', '-p', '2', 'job.ts', '--', '--from', 'Oslo'], 'npx millstream run --from c/chk-7 -p 2 job.ts -- --from Oslo'],
    [['run', '--from', 'c/chk-3', 'job.ts'], 'npx millstream run --from c/chk-7 job.ts'],
    [['run', '--from=c/chk-3', '--check', 'job.ts'], 'npx millstream run --from c/chk-7 --check job.ts'],
    [
      ['run', '--checkpoint-interval', '10 s', 'job.ts', '--', '--name', "it's"],
      `npx millstream run --from c/chk-7 --checkpoint-interval '10 s' job.ts -- --name 'it'\\''s'`,
    ],
  ])('%j goes on as %s', (words, command) => {
    expect(resumeCommand(words, 'c/chk-7')).toBe(command);
  });
});
