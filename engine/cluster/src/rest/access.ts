/**
 * Who may do what: bearer tokens with roles, each including the one before it.
 *
 *     read (look) < submit (run, cancel, stop, rescale, savepoints) < admin (delete, dispose, shut down)
 *
 * Invariants: 1. a token is compared with all tokens in a time that does not depend on it; 2. without tokens the interface must be a
 * loopback one, every caller is an admin, and a page in a browser cannot pose as a local program: the Host must be a loopback name; 3. a
 * browser's request that changes anything must come from the same origin, or the one that is allowed.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { MillstreamError } from 'millstream';

/** What a token, or a route, is about. */
export type Role = 'read' | 'submit' | 'admin';

export interface AccessToken {
  /** At least 16 characters. */
  readonly token: string;
  readonly role: Role;
}

const RANKS: Readonly<Record<Role, number>> = { read: 0, submit: 1, admin: 2 };
const TOKEN_LENGTH_MIN = 16;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;
/** RFC 6750's characters. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** What of a request access depends on. */
export interface RequestOrigin {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
}

/** What a route needs: what it declares; admins if it declares nothing. What is no route tells nobody without a token that it is none. */
export function neededRole(declared: Role | 'anybody' | undefined, isRoute: boolean): Role | 'anybody' {
  return declared ?? (isRoute ? 'admin' : 'read');
}

/** True for names and addresses of this machine's own interface. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

export class AccessControl {
  private readonly allowedOrigin: string | undefined;
  private readonly tokens: readonly { readonly digest: Buffer; readonly role: Role }[];

  /** Throws REST_UNPROTECTED, INVALID_OPTION. */
  constructor(tokens: readonly AccessToken[], host: string, allowedOrigin?: string) {
    this.allowedOrigin = allowedOrigin;
    if (tokens.length === 0 && !isLoopback(host)) {
      throw new MillstreamError(
        'REST_UNPROTECTED',
        `Cannot offer REST on '${host}': without tokens everybody who reaches it could run programs. Configure a token, or bind it to 127.0.0.1.`,
      );
    }
    for (const [index, { token }] of tokens.entries()) {
      if (token.length >= TOKEN_LENGTH_MIN && BEARER.test(`Bearer ${token}`)) continue;
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot use REST token number ${index + 1}: it has ${token.length} characters, and must have at least ${TOKEN_LENGTH_MIN}, all of A-Z a-z 0-9 . _ ~ + / -. Make one with: openssl rand -hex 32`,
      );
    }
    this.tokens = tokens.map(({ token, role }) => ({ digest: digestOf(token), role }));
  }

  /** Throws INVALID_REQUEST, UNAUTHORIZED, FORBIDDEN. */
  check(request: RequestOrigin, needed: Role): void {
    this.checkOrigin(request);
    if (this.tokens.length === 0) return;
    const [, token] = BEARER.exec(request.authorization ?? '') ?? [];
    const role = token === undefined ? undefined : this.roleOf(token);
    if (role === undefined) {
      throw new MillstreamError(
        'UNAUTHORIZED',
        `Cannot do this without a token that the cluster knows: ${request.authorization === undefined ? 'there is none' : 'the one given is not known'}. Send "Authorization: Bearer <token>" (command line: MILLSTREAM_TOKEN).`,
      );
    }
    if (RANKS[role] >= RANKS[needed]) return;
    throw new MillstreamError('FORBIDDEN', `Cannot do this with a token of role '${role}': it needs the role '${needed}'.`);
  }

  private checkOrigin({ method, host, origin }: RequestOrigin): void {
    if (host === undefined) throw new MillstreamError('INVALID_REQUEST', 'Cannot answer a request without a Host header. Send one.');
    if (this.tokens.length === 0 && !isLoopback(hostName(host))) {
      throw new MillstreamError(
        'FORBIDDEN',
        `Cannot answer a request for the host ${JSON.stringify(host)}: without tokens only local programs may ask. Use localhost, or configure tokens.`,
      );
    }
    if (origin === undefined || origin === this.allowedOrigin || method === 'GET' || method === 'HEAD' || URL.parse(origin)?.host === host)
      return;
    throw new MillstreamError(
      'FORBIDDEN',
      `Cannot change anything for a page of ${JSON.stringify(origin)}: it is neither this server's nor that of web.access-control-allow-origin.`,
    );
  }

  private roleOf(token: string): Role | undefined {
    const digest = digestOf(token);
    let found: Role | undefined;
    for (const known of this.tokens) if (timingSafeEqual(known.digest, digest)) found = known.role;
    return found;
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Without the port. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, '');
}
