/** Tells other programs of this machine, such as a container's health check, whether a process lives and is ready. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MillstreamError } from 'millstream';

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/** Answers GET /healthz always, GET /readyz with 200 where `ready` is true, else with 503. Rejects with ADDRESS_IN_USE, INVALID_OPTION. */
export async function startHealthServer(port: number, ready: () => boolean): Promise<HealthServer> {
  const server = createServer({ keepAlive: false, headersTimeout: 5000, requestTimeout: 5000 }, ({ method, url }, response) => {
    if (method !== 'GET') answer(response, 405, 'only GET is answered');
    else if (url === '/healthz') answer(response, 200, 'ok');
    else if (url === '/readyz') answer(response, ready() ? 200 : 503, ready() ? 'ok' : 'not ready');
    else answer(response, 404, 'only /healthz and /readyz are here');
  });
  server.maxConnections = 16;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, port)));
  server.listen(port, HOST, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

function answer(response: ServerResponse, code: number, status: string): void {
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify({ status }));
}

function listenError(cause: NodeJS.ErrnoException, port: number): MillstreamError {
  if (cause.code === 'EADDRINUSE') {
    const found = 'another process listens there. End it, or choose another process.health.port (0: any that is free)';
    return new MillstreamError('ADDRESS_IN_USE', `Cannot answer health checks on ${HOST}:${port}: ${found}.`, { cause });
  }
  const found = `${cause.code}. Choose another process.health.port`;
  return new MillstreamError('INVALID_OPTION', `Cannot answer health checks on ${HOST}:${port}: ${found}.`, { cause });
}
