/**
 * The first message in each direction: who speaks, in which version, and the cluster's token. Pure: what is said and how it is judged.
 *
 *     client ── hello {protocol, engine, role, name, token} ──▶ server: judges
 *     client ◀── answer {protocol, engine, role, name, refused?} ── server: accepts, or closes
 *
 * The first six bytes (magic, protocol version) are the same in every version of the protocol; what follows belongs to the version.
 * The token is in the clear without TLS, which is why that is possible on loopback only.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { MillstreamError } from 'millstream';
import { TOKEN_OPTION } from './option-keys.js';
import { certificateError } from './socket-errors.js';

/** Raised with every change of what connections carry. */
export const PROTOCOL_VERSION = 1;
/** Largest first message: nobody is known yet, so little memory is given. */
export const HANDSHAKE_BYTES_MAX = 4096;

const MAGIC = Buffer.from('MSTR');
const FIXED_BYTES = MAGIC.length + 2;
const TEXT_MAX = 256;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** A part of a cluster: `taskmanager`, and its name. */
export interface PeerIdentity {
  readonly role: string;
  readonly name: string;
}

/** What both ends say of themselves. */
export interface Introduction extends PeerIdentity {
  readonly engineVersion: string;
}

type Refusal = 'version' | 'token' | 'certificate';

/** Whether a role, name, version or token can be said in a handshake, and printed in a log. */
export function isProperText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_MAX && !CONTROL_CHARACTER.test(value);
}

/** The client's first message. */
export function encodeHello({ role, name, engineVersion }: Introduction, token: string): Buffer {
  return encode({ role, name, engineVersion, token });
}

/** The server's answer to a client that it accepts. */
export function encodeWelcome({ role, name, engineVersion }: Introduction): Buffer {
  return encode({ role, name, engineVersion });
}

/** The server's answer to a client that it refuses, with what it throws for itself. */
export function encodeRefusal({ role, name, engineVersion }: Introduction, error: MillstreamError): Buffer {
  const refused: Refusal = error.code === 'AUTHENTICATION_FAILED' ? 'token' : 'version';
  return encode({ role, name, engineVersion, refused });
}

/** The answer to whoever has no proper certificate: it hears nothing of this end. */
export function encodeCertificateRefusal(reason: string): Buffer {
  const refused: Refusal = 'certificate';
  return encode({ role: '', name: '', engineVersion: '', refused, reason });
}

/** Who the client is; throws what a client is refused with. */
export function judgeHello(bytes: Buffer, own: Introduction, token: string, remote: string): PeerIdentity {
  const fields = decode(bytes, remote);
  const peer = peerOf(fields, own, remote);
  if (!sameToken(textOf(fields, 'token', remote), token)) throw tokenError(`Cannot accept '${peer.role} ${peer.name}' (${remote})`);
  return peer;
}

/** Who the server is; throws what it refused with, or what is wrong with it. */
export function judgeAnswer(bytes: Buffer, own: Introduction, remote: string): PeerIdentity {
  const fields = decode(bytes, remote);
  const refused = fields.refused;
  if (refused === ('certificate' satisfies Refusal)) throw certificateError(textOf(fields, 'reason', remote), remote);
  const peer = peerOf(fields, own, remote);
  if (refused === ('token' satisfies Refusal)) throw tokenError(`Cannot connect to '${peer.role} ${peer.name}' (${remote})`);
  if (refused !== undefined) throw foreignError(remote, 'it refuses this end as no part of Millstream');
  return peer;
}

/** For whoever speaks something else. `header`: the first bytes heard. */
export function strangerError(header: Uint8Array, remote: string): MillstreamError {
  const text = Buffer.from(header).toString('latin1');
  if (header[0] === 0x16 || header[0] === 0x15) {
    return foreignError(remote, 'it speaks TLS and this end does not; configure the certificates of the cluster on both');
  }
  if (/^(?:GET|POST|PUT|HEAD|HTTP|OPTI|DELE|PATC)/.test(text)) {
    return foreignError(remote, "it speaks HTTP; this port is for Millstream's processes, REST has another");
  }
  return foreignError(remote, `it begins with the bytes 0x${Buffer.from(header).toString('hex')}, which no part of Millstream does`);
}

function encode(fields: Readonly<Record<string, string>>): Buffer {
  const fixed = Buffer.alloc(FIXED_BYTES);
  MAGIC.copy(fixed);
  fixed.writeUInt16LE(PROTOCOL_VERSION, MAGIC.length);
  return Buffer.concat([fixed, Buffer.from(JSON.stringify(fields))]);
}

type Fields = Readonly<Record<string, unknown>>;

function decode(bytes: Buffer, remote: string): Fields {
  if (bytes.length < FIXED_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw strangerError(bytes.subarray(0, 4), remote);
  const protocol = bytes.readUInt16LE(MAGIC.length);
  if (protocol !== PROTOCOL_VERSION) throw versionError(remote, `protocol ${protocol}`, `protocol ${PROTOCOL_VERSION}`);
  return parseFields(bytes.subarray(FIXED_BYTES), remote);
}

function peerOf(fields: Fields, own: Introduction, remote: string): PeerIdentity {
  const peer = { role: textOf(fields, 'role', remote), name: textOf(fields, 'name', remote) };
  const engineVersion = textOf(fields, 'engineVersion', remote);
  if (engineVersion !== own.engineVersion) throw versionError(remote, engineVersion, own.engineVersion);
  return peer;
}

function parseFields(bytes: Buffer, remote: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) throw foreignError(remote, 'its first message is damaged');
  return value as Fields;
}

function textOf(fields: Fields, name: string, remote: string): string {
  const value = fields[name];
  if (!isProperText(value)) throw foreignError(remote, `its first message has no proper '${name}'`);
  return value;
}

/** In a time that says nothing about either token. */
function sameToken(one: string, other: string): boolean {
  return timingSafeEqual(createHash('sha256').update(one).digest(), createHash('sha256').update(other).digest());
}

function tokenError(what: string): MillstreamError {
  const advice = `Give all parts of the cluster the same '${TOKEN_OPTION}'.`;
  return new MillstreamError('AUTHENTICATION_FAILED', `${what}: the two ends have different tokens. ${advice}`);
}

function versionError(remote: string, theirs: string, ours: string): MillstreamError {
  const advice = 'All parts of a cluster must run the same version: upgrade the older one.';
  return new MillstreamError(
    'PROTOCOL_MISMATCH',
    `Cannot talk to '${remote}': it has version '${theirs}', this process '${ours}'. ${advice}`,
    {
      details: { remote, theirs, ours },
    },
  );
}

function foreignError(remote: string, found: string): MillstreamError {
  const advice = 'Check that host and port are those of a Millstream process.';
  return new MillstreamError('PROTOCOL_MISMATCH', `Cannot talk to '${remote}': ${found}. ${advice}`, { details: { remote } });
}
