/**
 * Requests to a cluster that has one or more JobManagers: asks the next address while one refuses or does not lead.
 *
 *     request ─▶ answer | error of the cluster
 *        └─▶ refused, not the leader ─▶ pause ─▶ next address … until `retryMs` is over ─▶ CLUSTER_UNAVAILABLE
 *
 * Invariants: 1. a request whose connection broke after it was sent is repeated only if it is `repeatable`; 2. bounded in time.
 */
import type { Clock } from '../../common/clock.js';
import { ERROR_CODES, type ErrorCode } from '../../common/error-codes.js';
import { MillstreamError } from '../../common/errors.js';
import { type ClientTls, exchange, type HttpAnswer } from './http-exchange.js';

/** Where a cluster is, and who asks. */
export interface ClusterConnectionOptions {
  /** Of each JobManager: "localhost:8081", "http://localhost:8081", or with https. */
  readonly addresses: readonly string[];
  readonly token?: string | undefined;
  readonly tls?: ClientTls | undefined;
  /** Of the Millstream that programs are made with: a cluster of another one refuses them. Default: not said. */
  readonly version?: string | undefined;
  /** How long to wait for one answer. Default: 60 s. */
  readonly timeoutMs?: number;
  /** How long to try while no leader answers. Default: 30 s. */
  readonly retryMs?: number;
  readonly clock: Clock;
}

export interface ClusterRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From "/" on, encoded. */
  readonly path: string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  /** Done twice it does the same. */
  readonly repeatable: boolean;
}

/** In requests: the client's version. */
export const VERSION_HEADER = 'millstream-version';
const PAUSE_MS = 250;
/** The request did not reach anybody. */
const REFUSED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
/** It may have. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

export class ClusterConnection {
  private readonly options: ClusterConnectionOptions;
  private readonly urls: readonly URL[];
  private current = 0;

  /** Throws INVALID_OPTION for an address that is none. */
  constructor(options: ClusterConnectionOptions) {
    this.options = options;
    this.urls = options.addresses.map(parseAddress);
    if (this.urls.length === 0) throw new MillstreamError('INVALID_OPTION', 'Cannot reach a cluster without an address. Give host:port.');
  }

  /** The answer, read as JSON. */
  async request<T>(request: ClusterRequest): Promise<T> {
    const { clock, retryMs = 30_000 } = this.options;
    const end = clock.monotonic() + retryMs;
    for (;;) {
      const url = this.urls[this.current] as URL;
      const outcome = await this.ask(url, request);
      if ('value' in outcome) return outcome.value as T;
      if (!outcome.again || clock.monotonic() + PAUSE_MS >= end) throw outcome.error;
      this.current = (this.current + 1) % this.urls.length;
      await new Promise<void>((resolve) => clock.schedule(PAUSE_MS, resolve));
    }
  }

  /** Whether any address answers with a success, each asked once; requests go there from then on. */
  async probe(path: string): Promise<boolean> {
    for (let tries = 0; tries < this.urls.length; tries++) {
      const outcome = await this.ask(this.urls[this.current] as URL, { method: 'GET', path, repeatable: true });
      if ('value' in outcome) return true;
      this.current = (this.current + 1) % this.urls.length;
    }
    return false;
  }

  private async ask(url: URL, request: ClusterRequest): Promise<{ value: unknown } | { error: MillstreamError; again: boolean }> {
    const { token, version, tls = {}, timeoutMs = 60_000, clock } = this.options;
    const { json, bytes } = request;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (version !== undefined) headers[VERSION_HEADER] = version;
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (bytes !== undefined) headers['content-type'] = 'application/javascript';
    else if (json !== undefined) headers['content-type'] = 'application/json';
    const body = bytes ?? (json === undefined ? undefined : JSON.stringify(json));
    try {
      const answer = await exchange({ method: request.method, url: new URL(request.path, url), headers, body, timeoutMs, tls, clock });
      return readAnswer(answer, url);
    } catch (error) {
      const code = (error as { readonly code?: unknown }).code;
      const again = typeof code === 'string' && (REFUSED.has(code) || (BROKEN.has(code) && request.repeatable));
      return { error: unreachable(url, error), again };
    }
  }
}

function readAnswer({ status, text }: HttpAnswer, url: URL): { value: unknown } | { error: MillstreamError; again: boolean } {
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch (cause) {
    const message = `Cannot understand what answers at ${url.origin} (HTTP ${status}): it is no Millstream cluster. Check the address.`;
    return { error: new MillstreamError('CLUSTER_UNAVAILABLE', message, { cause }), again: false };
  }
  if (status >= 200 && status < 300) return { value };
  const { errors, code } = (value ?? {}) as { readonly errors?: unknown; readonly code?: unknown };
  const messages = Array.isArray(errors) ? errors.map(String).join(' ') : `HTTP ${status}`;
  const known: ErrorCode = typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL';
  const again = known === 'CLUSTER_UNAVAILABLE';
  return { error: new MillstreamError(known, messages, { retryable: again, details: { status, address: url.origin } }), again };
}

function unreachable(url: URL, cause: unknown): MillstreamError {
  const { code, message } = cause as { readonly code?: string; readonly message: string };
  const isTls = code !== undefined && /CERT|TLS|SSL|SIGNATURE|ISSUER/.test(code);
  const advice = isTls
    ? 'Give the certificate authority (and https:// where the cluster has TLS)'
    : 'Check the address, and that a JobManager runs there';
  return new MillstreamError('CLUSTER_UNAVAILABLE', `Cannot reach the cluster at ${url.origin}: ${message || code}. ${advice}.`, {
    cause,
    retryable: !isTls,
    details: { address: url.origin },
  });
}

function parseAddress(address: string): URL {
  const url = URL.parse(address.includes('://') ? address : `http://${address}`);
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '') return url;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot reach a cluster at '${address}': it is no address. Write host:port, with http:// or https:// in front.`,
  );
}
