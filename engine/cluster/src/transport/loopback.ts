/** Which addresses are this machine alone: without TLS and a token nothing else is listened on or connected to. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIPv6 } from 'node:net';
import { MillstreamError } from 'millstream';
import type { NetworkAddress } from 'millstream/cluster';
import { CERTIFICATES_OPTION, TOKEN_OPTION } from './option-keys.js';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether an IP address is this machine's own. */
export function isLoopback(ip: string): boolean {
  return LOOPBACK.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
}

/**
 * The IP address to use for a host without TLS and token; throws INSECURE_ADDRESS unless all addresses of the host are loopback.
 * `what`: "listen on". The name is resolved here, once, so that what was checked is what is used.
 */
export async function resolveLoopback(what: string, { host, port }: NetworkAddress): Promise<string> {
  const found = await lookup(host, { all: true });
  const beyond = found.find(({ address }) => !isLoopback(address));
  const first = found[0];
  if (beyond === undefined && first !== undefined) return first.address;
  const state = `'${beyond?.address ?? host}' is beyond this machine, and there is no TLS with a token`;
  const advice = `Set '${CERTIFICATES_OPTION}' ('millstream certs' makes the files) and '${TOKEN_OPTION}', or use a loopback address (127.0.0.1)`;
  throw new MillstreamError('INSECURE_ADDRESS', `Cannot ${what} '${host}:${port}': ${state}. ${advice}.`, {
    details: { host, port, options: [CERTIFICATES_OPTION, TOKEN_OPTION] },
  });
}
