/** Names of the options that messages of this folder tell the reader to set. */

/** The cluster's shared secret. */
export const TOKEN_OPTION = 'security.internal.token';
/** The directory with `ca.pem`, `cert.pem` and `key.pem`. */
export const CERTIFICATES_OPTION = 'security.ssl.internal.cert-dir';
/** How long both ends may take to know each other. */
export const HANDSHAKE_OPTION = 'security.ssl.internal.handshake-timeout';
/** The only certificate that is accepted. */
export const FINGERPRINT_OPTION = 'security.ssl.internal.cert.fingerprint';
