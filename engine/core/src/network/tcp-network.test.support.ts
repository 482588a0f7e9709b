/** Real sockets for tests and measurements of the exchange: the network of @millstream/cluster, which builds upon this package. */
import type { Network } from '../common/transport.js';

interface TcpModule {
  readonly TcpNetwork: new (options: { identity: { role: string; name: string } }) => Network;
}

/** A network over TCP on this machine, from what `tsc -b` has built. */
export async function tcpNetwork(name: string): Promise<Network> {
  const file = new URL('../../../cluster/dist/transport/tcp-network.js', import.meta.url).href;
  const { TcpNetwork } = (await import(file)) as TcpModule;
  return new TcpNetwork({ identity: { role: 'taskmanager', name } });
}
