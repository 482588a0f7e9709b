/** Where others reach a process: what it listens on says so only if it is one address, under a port of its own. */
import { hostname } from 'node:os';

const EVERY_INTERFACE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** `given`: as configured, for others. */
export function publishedHost(given: string | undefined, bindHost: string): string {
  return given ?? (EVERY_INTERFACE.has(bindHost) ? hostname() : bindHost);
}

/** `port` is for others where `bindPort` is what is listened on; `bound`: what that has become. */
export function publishedPort(port: number, bindPort: number | undefined, bound: number): number {
  return bindPort === undefined || port === 0 ? bound : port;
}
