/** A host's network whose messages are noted in the trace: what arrives, and how much was sent to whom. */
import { crc32 } from '../../common/checksum.js';
import type { Connection, ConnectionListener, Network } from '../../common/transport.js';
import type { SimulationTrace } from './simulation-trace.js';

/** The first byte of what `v8.serialize` makes. */
const SERIALIZED = 0xff;

/**
 * Serialized objects have no one form: a number that V8 keeps as a double is longer than the same one as a small integer, and errors have
 * stacks. What is in them is in the trace where it arrives.
 */
function contentOf(message: Uint8Array): string {
  return message[0] === SERIALIZED ? 'control' : `${message.length} ${crc32(message)}`;
}

/** What is tallied for a message, or an attempt to connect. */
export function sentTally(from: string, to: string): string {
  return `sent ${from} > ${to}`;
}

/** The same network, traced. */
export function tracedNetwork(network: Network, host: string, trace: SimulationTrace): Network {
  const hearing = (remote: string, listener: ConnectionListener): ConnectionListener => ({
    onMessage: (message) => {
      trace.event('message', host, `${remote} ${contentOf(message)}`);
      listener.onMessage(message);
    },
    onDrain: () => listener.onDrain(),
    onClose: (error) => {
      trace.event('connection closed', host, `${remote} ${error?.code ?? ''}`);
      listener.onClose(error);
    },
  });
  const sending = (connection: Connection): Connection => {
    const tally = sentTally(host, connection.remote.slice(0, connection.remote.lastIndexOf(':')));
    return {
      remote: connection.remote,
      get pendingBytes() {
        return connection.pendingBytes;
      },
      send: (message) => {
        trace.tally(tally);
        return connection.send(message);
      },
      close: () => connection.close(),
      destroy: () => connection.destroy(),
    };
  };
  return {
    connect: async (address, listener) => {
      trace.tally(sentTally(host, address.host));
      return sending(await network.connect(address, hearing(`${address.host}:${address.port}`, listener)));
    },
    listen: async (address, accept) =>
      await network.listen(address, (connection) => hearing(connection.remote, accept(sending(connection)))),
  };
}
