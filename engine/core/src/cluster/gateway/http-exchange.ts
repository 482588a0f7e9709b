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

export interface HttpExchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  readonly timeoutMs: number;
  readonly tls: ClientTls;
  readonly clock: Clock;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** A client that reads an answer beyond this has the wrong server. */
const ANSWER_BYTES_MAX = 64 << 20;

/** Rejects with the socket's error, or with one of code ETIMEDOUT. */
export async function exchange({ method, url, headers, body, timeoutMs, tls, clock }: HttpExchange): Promise<HttpAnswer> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const options: RequestOptions & ClientTls = { method, headers, agent: false, ...(url.protocol === 'https:' && tls) };
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const request = send(url, options, (response) => void read(response).then(resolve, reject));
  const timer = clock.schedule(timeoutMs, () => {
    request.destroy(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' }));
  });
  request.once('error', reject);
  request.end(body);
  try {
    return await promise;
  } finally {
    timer.cancel();
  }
}

async function read(response: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) throw new Error(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
