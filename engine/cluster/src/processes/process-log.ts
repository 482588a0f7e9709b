/** The log of a process: structured lines on standard error, since standard output belongs to programs. */
import { type ResolvedOptions, systemClock } from 'millstream/cluster';
import { destination, type Logger, pino } from 'pino';

export type { Logger };

/** Lines of JSON, or of words for people (`env.log.format`). */
export function createLog(options: ResolvedOptions, process: string): Logger {
  const level = options['env.log.level'].toLowerCase();
  const settings = { level, base: { process }, timestamp: () => `,"time":"${new Date(systemClock.now()).toISOString()}"` };
  // Synchronous: what a process said before it died is what one looks for.
  if (options['env.log.format'] === 'json') return pino(settings, destination({ dest: 2, sync: true }));
  return pino(settings, { write: (line: string) => void globalThis.process.stderr.write(words(line)) });
}

interface Line {
  readonly time: string;
  readonly level: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

const LEVELS: Readonly<Record<number, string>> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };

function words(text: string): string {
  const { time, level, msg = '', process, ...fields } = JSON.parse(text) as Line;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${time} ${(LEVELS[level] ?? '').padEnd(5)} ${String(process)}: ${msg}${rest.join('')}\n`;
}
