/** Node's errors of sockets and TLS as typed errors that say what to do. */
import { MillstreamError, type MillstreamErrorOptions } from 'millstream';
import type { NetworkAddress } from 'millstream/cluster';
import { CERTIFICATES_OPTION, FINGERPRINT_OPTION } from './option-keys.js';

/** Codes of certificates that were verified and not accepted, by Node or by OpenSSL's alerts. */
const CERTIFICATE_CODE = /CERT|SELF_SIGNED|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH|UNKNOWN_CA|INVALID_PURPOSE|PATH_LENGTH/;
/** Beside Node's codes: the certificate is good, but not the one that was configured. */
export const FINGERPRINT_MISMATCH = 'CERT_FINGERPRINT_MISMATCH';
const NOT_TLS_CODE = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|HTTP_REQUEST|UNSUPPORTED_PROTOCOL|PACKET_LENGTH|BAD_|UNEXPECTED|RECORD)/;

const REASONS: { readonly [code: string]: string } = {
  ECONNREFUSED: 'nothing listens there. Start that process, or correct host and port',
  ENOTFOUND: 'there is no host of that name. Correct it',
  EAI_AGAIN: 'the name of the host cannot be resolved now. Check the name service',
  EHOSTUNREACH: 'there is no way to that host. Check the network between the hosts',
  ENETUNREACH: 'there is no way to that host. Check the network between the hosts',
  ECONNRESET: 'the other end broke it off before it had said who it is. Look into its log: perhaps only one of the two ends speaks TLS',
  ETIMEDOUT: 'the host does not answer. Check that it runs and that no firewall is between',
};

/** Node's `code` of an error. */
export function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null ? (error as { readonly code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : '';
}

/** For `connect`. */
export function connectError(address: NetworkAddress, error: unknown): MillstreamError {
  if (error instanceof MillstreamError) return error;
  const at = `${address.host}:${address.port}`;
  const code = codeOf(error);
  if (CERTIFICATE_CODE.test(code)) return certificateError(code, at, error);
  if (NOT_TLS_CODE.test(code)) return notTlsError(at, error);
  return connectionFailed(address, REASONS[code] ?? messageOf(error), error);
}

/** For `connect`. `reason`: a sentence without its full stop. */
export function connectionFailed({ host, port }: NetworkAddress, reason: string, cause?: unknown): MillstreamError {
  const options = { retryable: true, details: { host, port }, ...causeOf(cause) };
  return new MillstreamError('CONNECTION_FAILED', `Cannot connect to '${host}:${port}': ${reason}.`, options);
}

/** For `listen`. */
export function listenError({ host, port }: NetworkAddress, error: unknown): MillstreamError {
  if (error instanceof MillstreamError) return error;
  const code = codeOf(error);
  const what = `Cannot listen on '${host}:${port}'`;
  const options = { details: { host, port }, ...causeOf(error) };
  if (code === 'EADDRINUSE') {
    return new MillstreamError('ADDRESS_IN_USE', `${what}: another process has the port. Stop it, or choose another port.`, options);
  }
  const reason = code === 'EACCES' ? 'this user may not use the port. Choose one above 1023' : UNAVAILABLE[code];
  return new MillstreamError('ADDRESS_UNAVAILABLE', `${what}: ${reason ?? messageOf(error)}.`, options);
}

const UNAVAILABLE: { readonly [code: string]: string } = {
  EADDRNOTAVAIL: 'this machine does not have the address. Choose one of its own, or 0.0.0.0 for all of them',
  ENOTFOUND: 'there is no host of that name. Choose an address of this machine',
  EAI_AGAIN: 'the name cannot be resolved now. Choose an address of this machine, or check the name service',
};

/** For an established connection. */
export function lostError(remote: string, reason: string, cause?: unknown): MillstreamError {
  const options = { retryable: true, details: { remote }, ...causeOf(cause) };
  return new MillstreamError('CONNECTION_LOST', `The connection to '${remote}' is lost: ${reason}. Connect again.`, options);
}

/** For a client that ended, or spoke something else, before it was known. */
export function clientTlsError(error: unknown, remote: string): MillstreamError {
  const code = codeOf(error);
  if (CERTIFICATE_CODE.test(code)) return certificateError(code, remote, error);
  if (NOT_TLS_CODE.test(code)) return notTlsError(remote, error);
  return lostError(remote, `it ended within the TLS handshake (${messageOf(error)})`, error);
}

/** A certificate that one of the two ends does not accept. `code`: Node's, of why. */
export function certificateError(code: string, remote: string, cause?: unknown): MillstreamError {
  const found = certificateFinding(code);
  return new MillstreamError('AUTHENTICATION_FAILED', `Cannot talk to '${remote}': ${found} (${code}).`, {
    details: { remote, reason: code },
    ...causeOf(cause),
  });
}

function certificateFinding(code: string): string {
  if (code.includes('EXPIRED')) return "a certificate has expired. Make new ones with 'millstream certs'";
  if (code.includes('NOT_YET_VALID')) return 'a certificate is not valid yet. Set the clocks of both machines';
  if (code.includes('ALTNAME')) {
    return "the certificate there is not for this host. Connect by a name that it has, or make one for it with 'millstream certs'";
  }
  if (code === FINGERPRINT_MISMATCH) return `a certificate is not the one of '${FINGERPRINT_OPTION}'. Correct the option on both ends`;
  const advice = `Both ends need one of the same authority: copy the directory of '${CERTIFICATES_OPTION}' from where it was made`;
  return `a certificate is missing or of another authority. ${advice}`;
}

function notTlsError(remote: string, cause: unknown): MillstreamError {
  const advice = `Set '${CERTIFICATES_OPTION}' on both ends, and check host and port.`;
  return new MillstreamError('PROTOCOL_MISMATCH', `Cannot talk to '${remote}': one of the two ends does not speak TLS. ${advice}`, {
    details: { remote },
    ...causeOf(cause),
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function causeOf(cause: unknown): Pick<MillstreamErrorOptions, 'cause'> {
  return cause === undefined ? {} : { cause };
}
