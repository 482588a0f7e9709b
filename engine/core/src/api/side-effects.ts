/**
 * Refuses side effects while a program builds its graph in a slot: opening or changing files, child processes, sockets. Output to the
 * terminal is dropped, since the client has printed it.
 *
 * Node's modules are patched through their CommonJS exports, which their named ES imports follow after `syncBuiltinESMExports`.
 */
import { MillstreamError } from '../common/errors.js';

type Functions = Record<string, (...parameters: unknown[]) => unknown>;

const FILE_CHANGES = [
  'appendFile',
  'chmod',
  'chown',
  'copyFile',
  'cp',
  'link',
  'mkdir',
  'mkdtemp',
  'rename',
  'rm',
  'rmdir',
  'symlink',
  'truncate',
  'unlink',
  'utimes',
  'writeFile',
];
const PROCESS_STARTS = ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync'];

/** Patches; returns what takes the patches away. `refusing` is asked at each call, for programs that keep a patched function. */
export function installRefusals(refusing: () => boolean): () => void {
  const undo: (() => void)[] = [];
  const replace = (owner: object, name: string, what: string, refused: (parameters: unknown[]) => boolean = () => true): void => {
    const functions = owner as Functions;
    const original = functions[name];
    if (original === undefined) return;
    functions[name] = function (this: unknown, ...parameters: unknown[]): unknown {
      if (refusing() && refused(parameters)) throw sideEffect(what, parameters[0]);
      return Reflect.apply(original, this, parameters);
    };
    undo.push(() => {
      functions[name] = original;
    });
  };
  const fs = process.getBuiltinModule('node:fs');
  for (const name of FILE_CHANGES) {
    for (const each of [name, `${name}Sync`]) replace(fs, each, `change files (fs.${each})`);
    replace(fs.promises, name, `change files (fs.promises.${name})`);
  }
  replace(fs, 'createWriteStream', 'change files (fs.createWriteStream)');
  for (const owner of [fs, fs.promises]) replace(owner, 'open', 'open a file for writing (fs.open)', opensForWriting);
  replace(fs, 'openSync', 'open a file for writing (fs.openSync)', opensForWriting);
  for (const name of PROCESS_STARTS)
    replace(process.getBuiltinModule('node:child_process'), name, `start a process (child_process.${name})`);
  const net = process.getBuiltinModule('node:net');
  replace(net.Socket.prototype, 'connect', 'open a connection');
  replace(net.Server.prototype, 'listen', 'listen on a port');
  replace(globalThis, 'fetch', 'open a connection (fetch)');
  for (const stream of [process.stdout, process.stderr]) undo.push(mute(stream, refusing));
  const { syncBuiltinESMExports } = process.getBuiltinModule('node:module');
  syncBuiltinESMExports();
  return () => {
    for (const step of undo) step();
    syncBuiltinESMExports();
  };
}

/** `open(path, flags)`: flags as text ('r', 'w', 'a+' …) or as bits. */
function opensForWriting(parameters: unknown[]): boolean {
  const flags = parameters[1];
  if (typeof flags === 'string') return /[wa+]/.test(flags);
  const { O_WRONLY, O_RDWR, O_CREAT } = process.getBuiltinModule('node:fs').constants;
  return typeof flags === 'number' && (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
}

function mute(stream: NodeJS.WriteStream, refusing: () => boolean): () => void {
  const original = stream.write;
  stream.write = function (this: NodeJS.WriteStream, ...parameters: unknown[]): boolean {
    if (!refusing()) return Reflect.apply(original, this, parameters) as boolean;
    const callback = parameters.at(-1);
    if (typeof callback === 'function') process.nextTick(callback as () => void);
    return true;
  } as typeof stream.write;
  return () => {
    stream.write = original;
  };
}

function sideEffect(what: string, target: unknown): MillstreamError {
  const at = typeof target === 'string' || target instanceof URL ? ` "${String(target)}"` : '';
  return new MillstreamError(
    'PROGRAM_SIDE_EFFECT',
    `Cannot ${what}${at} while the job's graph is built in a slot: every slot evaluates the program up to its execute, so this would happen once for each of them. Do it in open() of a function, in a sink, or after 'await env.execute()', which only the client reaches; pass what it yields as a program argument.`,
  );
}
