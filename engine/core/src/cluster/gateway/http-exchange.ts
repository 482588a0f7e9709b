/** One HTTP request and its answer, over `node:http` and `node:https`: `fetch` cannot be given a certificate authority without a library. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import type { Clock } from '../../common/clock.js';
import { normalizedFingerprint } from '../../common/fingerprint.js';

/** PEM texts, and what else is demanded of the cluster. */
export interface ClientTls {
  /** Whom to trust; absent: what Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Lowest version. Flink's `security.ssl.protocol`. Default: TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Whether the certificate must be for the host of the address. Flink's `security.ssl.verify-hostname`. Default: true. */
  readonly verifyHost?: boolean;
  /** SHA-256 of the only certificate that is accepted. `security.ssl.rest.cert.fingerprint`. Default: all of the authorities. */
  readonly fingerprint?: string;
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

/** The option that has the fingerprint. */
export const FINGERPRINT_OPTION = 'security.ssl.rest.cert.fingerprint';
/** Code of the error of an exchange with a server whose certificate is not the only one that is accepted. */
export const FINGERPRINT_MISMATCH = 'CERT_FINGERPRINT_MISMATCH';

/** Code of the error of an exchange that never had a connection: nobody has seen the request. */
export const CONNECT_TIMEOUT = 'CONNECT_TIMEOUT';

/** Rejects with the socket's error, with CONNECT_TIMEOUT, or without a code where the other end is silent or says too much. */
export async function exchange({ method, url, headers, body, limits, tls, clock }: HttpExchange): Promise<HttpAnswer> {
  const { connectTimeoutMs, idleTimeoutMs } = limits;
  const isTls = url.protocol === 'https:';
  const options: RequestOptions & ConnectionOptions = {
    method,
    headers,
    agent: false,
    timeout: idleTimeoutMs,
    ...(isTls && connectionTls(tls)),
  };
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

function connectionTls({ minVersion = 'TLSv1.2', verifyHost = true, fingerprint, ...identity }: ClientTls): ConnectionOptions {
  const wanted = fingerprint === undefined ? undefined : normalizedFingerprint(fingerprint);
  return {
    ...identity,
    minVersion,
    checkServerIdentity: (host, certificate) => {
      const wrongHost = verifyHost ? checkServerIdentity(host, certificate) : undefined;
      if (wrongHost !== undefined || wanted === undefined || normalizedFingerprint(certificate.fingerprint256) === wanted) return wrongHost;
      return Object.assign(new Error('its certificate is another one'), { code: FINGERPRINT_MISMATCH });
    },
  };
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
