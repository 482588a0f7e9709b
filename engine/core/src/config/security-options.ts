/** Options of TLS and of authentication. Certificates are PEM files, where Flink has Java's key stores. */

export const SECURITY_OPTIONS = {
  'security.ssl.internal.enabled': {
    type: 'boolean',
    scope: 'cluster',
    doc: 'Whether JobManagers and TaskManagers speak TLS among each other, both sides authenticated. Not set: where certificates are.',
  },
  'security.ssl.internal.cert-dir': {
    type: 'text',
    scope: 'cluster',
    doc: 'Directory with ca.pem, cert.pem and key.pem for inside of the cluster; instead of the three files that follow.',
  },
  'security.ssl.internal.certificate-file': {
    type: 'text',
    scope: 'cluster',
    doc: 'PEM file with the certificate of the process, and the chain to its authority, inside of the cluster.',
  },
  'security.ssl.internal.private-key-file': {
    type: 'text',
    scope: 'cluster',
    doc: 'PEM file with the private key of this certificate.',
  },
  'security.ssl.internal.key-password': {
    type: 'text',
    scope: 'cluster',
    secret: true,
    doc: 'Password of the private key, where it is encrypted.',
  },
  'security.ssl.internal.ca-file': {
    type: 'text',
    scope: 'cluster',
    doc: 'PEM file with the authorities whose certificates are accepted from the other side.',
  },
  'security.ssl.internal.cert.fingerprint': {
    type: 'text',
    scope: 'cluster',
    doc: 'SHA-256 fingerprint of the only certificate that is accepted from the other side, so of one that all processes share. Not set: all of the authorities.',
  },
  'security.ssl.internal.handshake-timeout': {
    type: 'duration',
    minimum: 1,
    default: '10 s',
    scope: 'cluster',
    doc: 'How long a connection inside of the cluster may take until both ends know each other, with or without TLS.',
  },
  'security.ssl.rest.enabled': {
    type: 'boolean',
    scope: 'cluster',
    doc: 'Whether REST is served by HTTPS. Not set: where certificates are; for a client, where an authority is.',
  },
  'security.ssl.rest.authentication-enabled': {
    type: 'boolean',
    default: false,
    scope: 'cluster',
    doc: 'Whether clients of REST need a certificate.',
  },
  'security.ssl.rest.cert-dir': {
    type: 'text',
    scope: 'cluster',
    doc: 'Directory with ca.pem, cert.pem and key.pem for REST; instead of the three files that follow.',
  },
  'security.ssl.rest.certificate-file': {
    type: 'text',
    scope: 'cluster',
    doc: 'PEM file with the certificate of the process, and the chain to its authority, for REST.',
  },
  'security.ssl.rest.private-key-file': {
    type: 'text',
    scope: 'cluster',
    doc: 'PEM file with the private key of this certificate.',
  },
  'security.ssl.rest.key-password': {
    type: 'text',
    scope: 'cluster',
    secret: true,
    doc: 'Password of the private key, where it is encrypted.',
  },
  'security.ssl.rest.ca-file': {
    type: 'text',
    scope: 'cluster',
    doc: 'PEM file with the authorities whose certificates are accepted from the other side.',
  },
  'security.ssl.rest.cert.fingerprint': {
    type: 'text',
    scope: 'cluster',
    doc: 'SHA-256 fingerprint of the only certificate that a client accepts from REST, and REST from clients where these need one. Not set: all of the authorities.',
  },
  'security.ssl.protocol': {
    type: 'enum',
    values: ['TLSv1.2', 'TLSv1.3'],
    scope: 'cluster',
    doc: 'Lowest version of TLS. Not set: TLSv1.3 inside of the cluster, TLSv1.2 for REST.',
  },
  'security.ssl.verify-hostname': {
    type: 'boolean',
    default: true,
    scope: 'cluster',
    doc: 'Whether the certificate of a process must name the host that it was reached under.',
  },
  'security.internal.token': {
    type: 'text',
    scope: 'cluster',
    secret: true,
    doc: 'Token that all processes of a cluster have in common; one without it is refused.',
  },
  'security.internal.token-file': { type: 'text', scope: 'cluster', doc: 'File with this token.' },
  'security.rest.authentication': {
    type: 'enum',
    values: ['none', 'token'],
    default: 'none',
    scope: 'jobmanager',
    pending: true,
    doc: 'With token each request needs a bearer token, whose role decides what it may do.',
  },
  'security.rest.token-file': {
    type: 'text',
    scope: 'jobmanager',
    doc: 'File with one token per line: its role (read, submit or admin), a space, the token.',
  },
  'security.rest.token.read': { type: 'text', scope: 'jobmanager', secret: true, doc: 'Token that may read.' },
  'security.rest.token.submit': {
    type: 'text',
    scope: 'jobmanager',
    secret: true,
    doc: 'Token that may read, submit, stop and rescale jobs.',
  },
  'security.rest.token.admin': { type: 'text', scope: 'jobmanager', secret: true, doc: 'Token that may do all.' },
  'security.rest.client.token-file': { type: 'text', scope: 'client', doc: 'File with the token that the client sends.' },
  'security.rest.client.token': { type: 'text', scope: 'client', secret: true, doc: 'The token that the client sends.' },
} as const;
