/**
 * Requests to a cluster that has one or more JobManagers. A round asks each address, the one that answered last first:
 *
 *     round ─▶ answer | error of the cluster
 *       ├─▶ one answers, none leads ─▶ short pause ─▶ round … until `leaderTimeoutMs` is over ─┐
 *       └─▶ none can be reached ─▶ `retryDelayMs` ─▶ round … `retriesMax` times ───────────────┴─▶ CLUSTER_UNAVAILABLE
 *
 * Invariants: 1. a request whose connection broke after it was sent is repeated only if it is `repeatable`; 2. rounds are bounded.
 */
import type { Clock } from '../../common/clock.js';
import { ERROR_CODES, type ErrorCode } from '../../common/error-codes.js';
import { MillstreamError } from '../../common/errors.js';
import { readFingerprint } from '../../common/fingerprint.js';
import type { ResolvedOptions } from '../../config/options.js';
import { resolveOptions } from '../../config/resolve-options.js';
import {
  type ClientTls,
  CONNECT_TIMEOUT,
  exchange,
  FINGERPRINT_MISMATCH,
  FINGERPRINT_OPTION,
  type HttpAnswer,
  type HttpLimits,
} from './http-exchange.js';
import { type RetryLimits, RetryPauses, type RetryReason } from './retry-pauses.js';

/** Where a cluster is, and who asks. */
export interface ClusterConnectionOptions extends Partial<HttpLimits>, Partial<RetryLimits> {
  /** Of each JobManager: "localhost:8081", "http://localhost:8081", or with https. */
  readonly addresses: readonly string[];
  readonly token?: string | undefined;
  readonly tls?: ClientTls | undefined;
  /** Of the Millstream that programs are made with: a cluster of another one refuses them. Default: not said. */
  readonly version?: string | undefined;
  /** Hears once of each request that is going to be repeated, and why. */
  readonly onWait?: (reason: MillstreamError) => void;
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
/** The request did not reach anybody. */
const REFUSED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', CONNECT_TIMEOUT]);
/** It may have. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT']);

/** What became of a request. `next`: that it may go to another address, or again to this one, and what was found here. */
type Outcome = { readonly value: unknown } | { readonly error: MillstreamError; readonly next: RetryReason | undefined };

/** How the configuration of a client limits its requests. */
export function clientLimits(options: ResolvedOptions): HttpLimits & RetryLimits {
  return {
    connectTimeoutMs: options['rest.connection-timeout'],
    idleTimeoutMs: options['rest.idleness-timeout'],
    answerBytesMax: options['rest.client.max-content-length'],
    leaderTimeoutMs: options['rest.await-leader-timeout'],
    retriesMax: options['rest.retry.max-attempts'],
    retryDelayMs: options['rest.retry.delay'],
  };
}

export class ClusterConnection {
  private readonly options: ClusterConnectionOptions & HttpLimits & RetryLimits;
  private readonly urls: readonly URL[];
  private current = 0;

  /** Throws INVALID_OPTION for an address or a fingerprint that is none. */
  constructor(options: ClusterConnectionOptions) {
    this.options = { ...clientLimits(resolveOptions({})), ...options };
    if (options.tls?.fingerprint !== undefined) readFingerprint(FINGERPRINT_OPTION, options.tls.fingerprint);
    this.urls = options.addresses.map(parseAddress);
    if (this.urls.length === 0) throw new MillstreamError('INVALID_OPTION', 'Cannot reach a cluster without an address. Give host:port.');
  }

  /** The answer, read as JSON. */
  async request<T>(request: ClusterRequest): Promise<T> {
    const { clock, onWait } = this.options;
    const pauses = new RetryPauses(this.options);
    for (;;) {
      const outcome = await this.askInTurn(request);
      if ('value' in outcome) return outcome.value as T;
      const { error, next } = outcome;
      if (next === undefined) throw error;
      const pauseMs = pauses.after(next, error, clock.monotonic());
      if (pauses.isFirst) onWait?.(error);
      await new Promise<void>((resolve) => clock.schedule(pauseMs, resolve));
    }
  }

  /** Of all addresses, until one answers for the cluster. Otherwise: that none leads if one said so, else why the first is out of reach. */
  private async askInTurn(request: ClusterRequest): Promise<Outcome> {
    let found: Outcome | undefined;
    for (let tries = 0; tries < this.urls.length; tries++) {
      const outcome = await this.ask(this.urls[this.current] as URL, request);
      if ('value' in outcome || outcome.next === undefined) return outcome;
      if (found === undefined || outcome.next === 'no leader') found = outcome;
      this.current = (this.current + 1) % this.urls.length;
    }
    return found as Outcome;
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

  private async ask(url: URL, request: ClusterRequest): Promise<Outcome> {
    const { token, version, tls = {}, clock } = this.options;
    const { json, bytes } = request;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (version !== undefined) headers[VERSION_HEADER] = version;
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (bytes !== undefined) headers['content-type'] = 'application/javascript';
    else if (json !== undefined) headers['content-type'] = 'application/json';
    const body = bytes ?? (json === undefined ? undefined : JSON.stringify(json));
    try {
      const target = new URL(request.path, url);
      const answer = await exchange({ method: request.method, url: target, headers, body, limits: this.options, tls, clock });
      return readAnswer(answer, url);
    } catch (error) {
      const code = (error as { readonly code?: unknown }).code;
      const again = typeof code === 'string' && (REFUSED.has(code) || (BROKEN.has(code) && request.repeatable));
      return { error: unreachable(url, error), next: again ? 'unreachable' : undefined };
    }
  }
}

function readAnswer({ status, text }: HttpAnswer, url: URL): Outcome {
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch (cause) {
    const message = `Cannot understand what answers at ${url.origin} (HTTP ${status}): it is no Millstream cluster. Check the address.`;
    return { error: new MillstreamError('CLUSTER_UNAVAILABLE', message, { cause }), next: undefined };
  }
  if (status >= 200 && status < 300) return { value };
  const { errors, code } = (value ?? {}) as { readonly errors?: unknown; readonly code?: unknown };
  const messages = Array.isArray(errors) ? errors.map(String).join(' ') : `HTTP ${status}`;
  const known: ErrorCode = typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL';
  const retryable = known === 'CLUSTER_UNAVAILABLE';
  const error = new MillstreamError(known, messages, { retryable, details: { status, address: url.origin } });
  return { error, next: retryable ? 'no leader' : undefined };
}

/** What to do about the first of these that an error has in its code or its message: OpenSSL's reasons are in the latter. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [new RegExp(FINGERPRINT_MISMATCH), `Correct ${FINGERPRINT_OPTION} if it is to be trusted`],
  [/ALTNAME/, 'Use an address that the certificate names, or set security.ssl.verify-hostname to false'],
  [/protocol version|unsupported protocol/, 'Both ends need a version of TLS in common (security.ssl.protocol)'],
  [/wrong version number/, 'There is no TLS there: write http://, or configure it there'],
  [/CERT|TLS|SSL|SIGNATURE|ISSUER/, 'Give the certificate authority (and https:// where the cluster has TLS)'],
];

function unreachable(url: URL, cause: unknown): MillstreamError {
  const { code = '', message } = cause as { readonly code?: string; readonly message: string };
  const advice = ADVICE.find(([found]) => found.test(`${code} ${message}`))?.[1];
  const what = `Cannot reach the cluster at ${url.origin}: ${message || code}. ${advice ?? 'Check the address, and that a JobManager runs there'}.`;
  return new MillstreamError('CLUSTER_UNAVAILABLE', what, { cause, retryable: advice === undefined, details: { address: url.origin } });
}

function parseAddress(address: string): URL {
  const url = URL.parse(address.includes('://') ? address : `http://${address}`);
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '') return url;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot reach a cluster at '${address}': it is no address. Write host:port, with http:// or https:// in front.`,
  );
}
