/** SHA-256 fingerprints of certificates, as options have them: hexadecimal digits, with or without colons. */
import { MillstreamError } from './errors.js';

const SHA256_DIGITS = /^[0-9a-f]{64}$/;

/** A fingerprint in the form in which two of them can be compared. */
export function normalizedFingerprint(text: string): string {
  return text.trim().replaceAll(':', '').toLowerCase();
}

/** The fingerprint that an option has. Throws INVALID_OPTION if it can be none. */
export function readFingerprint(option: string, text: string): string {
  const fingerprint = normalizedFingerprint(text);
  if (SHA256_DIGITS.test(fingerprint)) return fingerprint;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot set option "${option}" to ${JSON.stringify(text)}: it must be a SHA-256 fingerprint, 64 hexadecimal digits with or without colons. Read it with: openssl x509 -in cert.pem -noout -fingerprint -sha256`,
    { details: { option, value: text } },
  );
}
