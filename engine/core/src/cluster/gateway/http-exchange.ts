/** One HTTP request and its answer, over `node:http` and `node:https`: `fetch` cannot be given a certificate authority without a library. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../../common/clock.js';

/** PEM texts. */
export interface ClientTls {
  /** Whom to trust; absent: what Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** How long and how much. */
export interface HttpLimits {
  /** How long to wait for a connection. Flink's `rest.connection-timeout`. Default: 15 s. */
  readonly connectTimeoutMs: number;
  /** How long a connection may be without traffic, so also how long an answer may take. Flink's `rest.idleness-timeout`. Default: 5 min. */
  readonly idleTimeoutMs: number;
  /** Largest answer that is read. Flink's `rest.client.max-content-length`. Default: 100 MiB. */
  readonly answerBytesMax: number;
}

export interface HttpExchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  readonly limits: HttpLimits;
  readonly tls: ClientTls;
  readonly clock: Clock;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Code of the error of an exchange that never had a connection: nobody has seen the request. */
export const CONNECT_TIMEOUT = 'CONNECT_TIMEOUT';

/** Rejects with the socket's error, with CONNECT_TIMEOUT, or without a code where the other end is silent or says too much. */
export async function exchange({ method, url, headers, body, limits, tls, clock }: HttpExchange): Promise<HttpAnswer> {
  const { connectTimeoutMs, idleTimeoutMs } = limits;
  const isTls = url.protocol === 'https:';
  const options: RequestOptions & ClientTls = { method, headers, agent: false, timeout: idleTimeoutMs, ...(isTls && tls) };
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const request = (isTls ? httpsRequest : httpRequest)(url, options, (response) => void read(response, limits).then(resolve, reject));
  const timer = clock.schedule(connectTimeoutMs, () => {
    const found = `no connection within ${connectTimeoutMs} ms (rest.connection-timeout)`;
    request.destroy(Object.assign(new Error(found), { code: CONNECT_TIMEOUT }));
  });
  request.once('socket', (socket) => socket.once(isTls ? 'secureConnect' : 'connect', () => timer.cancel()));
  request.once('timeout', () => request.destroy(new Error(`nothing was heard for ${idleTimeoutMs} ms (rest.idleness-timeout)`)));
  request.once('error', reject);
  request.end(body);
  try {
    return await promise;
  } finally {
    timer.cancel();
  }
}

async function read(response: IncomingMessage, { answerBytesMax }: HttpLimits): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerBytesMax) throw new Error(`the answer is larger than ${answerBytesMax} bytes (rest.client.max-content-length)`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
