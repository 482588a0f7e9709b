/** Compiles wrong programs and reads the compiler's messages: they must say, in a sentence, what to do. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../../..');

/** What does not compile, and a part of the message. */
const WRONG: readonly (readonly [snippet: string, message: string])[] = [
  ['flights.map(async (flight) => flight.origin)', 'map cannot take an async function: use mapAsync'],
  ['flights.map((flight) => { void flight.origin; })', 'map must return a value'],
  ['flights.filter(async (flight) => flight.delay > 1)', 'filter cannot take an async function: use mapAsync'],
  ['flights.filter((flight) => flight.delay)', 'filter needs a function that returns true or false'],
  ['flights.flatMap(async (flight) => [flight.origin])', 'flatMap cannot take an async function: use mapAsync'],
  ['flights.flatMap<string>(async (flight, out) => out.collect(flight.origin))', 'flatMap cannot take an async function: use mapAsync'],
  ['flights.keyBy(async (flight) => flight.origin)', 'keyBy cannot take an async function: use mapAsync'],
  ['flights.keyBy((flight) => flight.when)', 'a key must be a boolean, number, string, bigint or a tuple of them'],
  ['flights.keyBy((flight) => ({ origin: flight.origin }))', 'a key must be a boolean, number, string, bigint or a tuple of them'],
  ['flights.keyBy((flight) => flight.carrier)', 'a key must be a boolean, number, string, bigint or a tuple of them'],
  ["flights.keyBy('when')", 'a key must be a boolean, number, string, bigint or a tuple of them'],
  ["flights.keyBy('origin').reduce(async (left) => left)", 'reduce cannot take an async function: use mapAsync'],
  ["flights.keyBy('origin').countWindow(2).reduce(async (left) => left)", 'reduce cannot take an async function: use mapAsync'],
  [
    'flights.join(flights).where((f) => f.origin).equalTo((f) => f.origin).window(TumblingEventTimeWindows.of(5)).apply(async (f) => f)',
    'a join cannot take an async function: use mapAsync',
  ],
];

const PROGRAM = `
import { type DataStream, TumblingEventTimeWindows } from ${JSON.stringify(resolve(ROOT, 'engine/core/src/index.js'))};
declare const flights: DataStream<{ origin: string; delay: number; when: Date; carrier?: string }>;
void TumblingEventTimeWindows;
`;

const CONFIG = {
  extends: resolve(ROOT, 'tsconfig.json'),
  compilerOptions: {
    ...{ noEmit: true, composite: false, incremental: false, declaration: false, declarationMap: false, isolatedDeclarations: false },
    typeRoots: [resolve(ROOT, 'node_modules/@types')],
  },
  files: ['program.ts'],
  references: [],
};

/** The compiler's messages by line of program.ts, counted from 1; each with its indented continuation. */
async function compile(directory: string): Promise<Map<number, string>> {
  const messages = new Map<number, string>();
  const output = await new Promise<string>((done) => {
    const tsc = resolve(ROOT, 'node_modules/typescript/bin/tsc');
    execFile(process.execPath, [tsc, '-p', directory, '--pretty', 'false'], { cwd: directory, maxBuffer: 1 << 24 }, (_error, stdout) =>
      done(stdout),
    );
  });
  let line = 0;
  for (const text of output.split('\n')) {
    const start = /^program\.ts\((\d+),/.exec(text);
    if (start !== null) line = Number(start[1]);
    else if (!text.startsWith(' ')) line = 0;
    messages.set(line, `${messages.get(line) ?? ''}${text}\n`);
  }
  return messages;
}

describe('the compiler', () => {
  const firstLine = PROGRAM.split('\n').length;
  let directory: string;
  let messages: Map<number, string>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millstream-types-'));
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(CONFIG));
    const lines = [...WRONG.map(([snippet]) => `${snippet};`), 'flights.map((flight) => flight.origin).print();'];
    await writeFile(join(directory, 'program.ts'), PROGRAM + lines.join('\n'));
    messages = await compile(directory);
  });

  afterAll(() => rm(directory, { recursive: true }));

  it.each(WRONG.map(([snippet, message], index) => [snippet, message, index] as const))('refuses %s', (_snippet, message, index) => {
    expect(messages.get(firstLine + index)).toContain(message);
  });

  it('takes what is right', () => {
    expect(messages.get(firstLine + WRONG.length)).toBeUndefined();
  });
});
