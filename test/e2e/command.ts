/** Runs the command `millstream`, and plain node, as users do: as processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MILLSTREAM = `${ROOT}node_modules/.bin/millstream`;

/** A process that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves when standard error or output holds the text. Rejects if the process ends before. */
  shows(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
}

/** A process that has ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `node <arguments>` with the Node that runs the tests. */
export function startNode(
  parameters: readonly string[],
  settings: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Running {
  const child = spawn(process.execPath, parameters, {
    cwd: settings.cwd ?? ROOT,
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', ...settings.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      for (const look of waiting) look();
    });
  }
  const { promise: ended, resolve } = Promise.withResolvers<Ended>();
  child.on('close', (code, signal) => {
    resolve({ code, signal, ...output });
    for (const look of waiting) look();
  });
  const shows = async (text: string): Promise<void> => {
    const { promise, resolve: found, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (output.stdout.includes(text) || output.stderr.includes(text)) found();
      else if (child.exitCode !== null || child.signalCode !== null) reject(new Error(`ended without "${text}": ${output.stderr}`));
    };
    waiting.add(look);
    look();
    await promise.finally(() => waiting.delete(look));
  };
  return { child, shows, ended };
}

/** Starts `millstream <words>`. */
export function startMillstream(
  words: readonly string[],
  settings: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Running {
  return startNode([MILLSTREAM, ...words], settings);
}

/** Runs `millstream <words>` to its end. */
export async function millstream(
  words: readonly string[],
  settings: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return await startMillstream(words, settings).ended;
}
