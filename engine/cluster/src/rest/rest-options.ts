/** What a REST server is given. */
import type { FastifyBaseLogger } from 'fastify';
import type { ClusterGateway } from 'millstream/cluster';
import type { AccessToken } from './access.js';

/** PEM texts. With `ca` callers must show a certificate that it signed. */
export interface RestTls {
  readonly cert: string;
  readonly key: string;
  /** Of the key, if it is encrypted. */
  readonly passphrase?: string;
  readonly ca?: string;
  /** Lowest version. Default: TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** With `ca`: SHA-256 of the only certificate that callers may have, as hexadecimal digits. Default: all that it signed. */
  readonly clientFingerprint?: string;
}

/** Bounds on requests. */
export interface RestLimits {
  /** Of bodies other than artifacts (the artifact store bounds these). Default: 1 MiB. */
  readonly bodyBytesMax?: number;
  /** Default: 16 KiB. */
  readonly headerBytesMax?: number;
  /** From the first byte of a request to its last. Default: 2 min. */
  readonly requestTimeoutMs?: number;
  /** From the first byte of a request to the end of its headers. Default: 10 s. */
  readonly headersTimeoutMs?: number;
  /** How long a connection stays open without a request. Flink's `rest.idleness-timeout`. Default: 5 min. */
  readonly idleTimeoutMs?: number;
  /** Default: 1000. */
  readonly connectionsMax?: number;
}

export interface RestServerOptions {
  readonly gateway: ClusterGateway;
  /** Flink's `rest.bind-address`. Default: 127.0.0.1. */
  readonly host?: string;
  /** Flink's `rest.port`; 0: any that is free. Default: 8081. */
  readonly port?: number;
  /** None: loopback only, and every local caller may do everything. */
  readonly tokens?: readonly AccessToken[];
  /** Flink's `web.submit.enable`: artifacts may be uploaded, planned and run. Default: false. */
  readonly submit?: boolean;
  /** Flink's `web.cancel.enable`: jobs may be cancelled and stopped. Default: true. */
  readonly cancel?: boolean;
  /** Flink's `web.rescale.enable`. Default: true. */
  readonly rescale?: boolean;
  /** Flink's `web.access-control-allow-origin`: whose pages may use the interface beside its own. Default: nobody's. */
  readonly allowOrigin?: string;
  readonly tls?: RestTls;
  readonly limits?: RestLimits;
  readonly version: string;
  /** Hears of failures that are not the client's. */
  readonly logger?: FastifyBaseLogger;
}

/** What routes are registered with. */
export interface RouteOptions {
  readonly gateway: ClusterGateway;
  readonly submit: boolean;
  readonly cancel: boolean;
  readonly rescale: boolean;
  readonly version: string;
}
