/**
 * The REST server: serves a {@link ClusterGateway} in Flink's paths (with and without /v1) and shapes.
 *
 *     request ─▶ limits ─▶ access ─▶ schema ─▶ route ─▶ gateway
 *                  └──────────┴────────┴────────┴─────────┴──▶ {"errors": [...], "code": …}
 *
 * Invariants: 1. no request ends the process; 2. what is no typed error reaches the log, not the client; 3. a route without a role is for
 * admins.
 */
import type { AddressInfo, Socket } from 'node:net';
import { type SecureContextOptions, TLSSocket, type TlsOptions } from 'node:tls';
import fastifySwagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import { MillstreamError } from 'millstream';
import { matchesFingerprint } from '../transport/tls-identity.js';
import { AccessControl, neededRole } from './access.js';
import { allowOrigin, checkedOrigin } from './cross-origin.js';
import { errorResponse } from './error-response.js';
import type { RestServerOptions, RestTls, RouteOptions } from './rest-options.js';
import { READ } from './route-plugin.js';
import { artifactRoutes } from './routes/artifacts.js';
import { checkpointRoutes } from './routes/checkpoints.js';
import { clusterRoutes } from './routes/cluster.js';
import { jobRoutes } from './routes/jobs.js';
import { metricRoutes } from './routes/metrics.js';
import { savepointRoutes } from './routes/savepoints.js';
import { taskManagerRoutes } from './routes/task-managers.js';
import { vertexRoutes } from './routes/vertices.js';
import { errorBody } from './schemas/common.js';

/** A REST server that listens. */
export interface RestServer {
  readonly host: string;
  readonly port: number;
  /** "http://127.0.0.1:8081" */
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Starts to listen. Rejects with REST_UNPROTECTED, ADDRESS_IN_USE, INVALID_OPTION. */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { host = '127.0.0.1', port = 8081 } = options;
  const origin = checkedOrigin(options.allowOrigin);
  const access = new AccessControl(options.tokens ?? [], host, origin);
  const app = createApp(options);
  addCertificateGuard(app, options.tls?.clientFingerprint);
  allowOrigin(app, origin);
  addGuards(app, access);
  addErrorAnswers(app);
  addBodyParser(app);
  await addRoutes(app, options);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, host, port);
  }
  const bound = (app.server.address() as AddressInfo).port;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    host,
    port: bound,
    url: `${options.tls === undefined ? 'http' : 'https'}://${name}:${bound}`,
    close: async () => await app.close(),
  };
}

function createApp({ limits = {}, tls, logger }: RestServerOptions): FastifyInstance {
  const http = {
    maxHeaderSize: limits.headerBytesMax ?? 16_384,
    headersTimeout: limits.headersTimeoutMs ?? 10_000,
    connectionsCheckingInterval: 1000,
    // Refused by the guards, in the shape of all errors.
    requireHostHeader: false,
  };
  const common = {
    bodyLimit: limits.bodyBytesMax ?? 1 << 20,
    requestTimeout: limits.requestTimeoutMs ?? 120_000,
    keepAliveTimeout: limits.idleTimeoutMs ?? 300_000,
    forceCloseConnections: true,
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 1024 },
    // As in Flink "true" is taken for true and "4" for 4: values of a path or a query are always text. Unknown fields are refused, not dropped.
    ajv: { customOptions: { coerceTypes: 'array' as const, removeAdditional: false, allErrors: false } },
    rewriteUrl: (request: { readonly url?: string | undefined }): string => withoutVersion(request.url ?? '/'),
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply): void => answerError(error, request, reply),
    ...(logger !== undefined && { loggerInstance: logger }),
  };
  const secured = tls && { ...http, ...httpsOptions(tls) };
  const app = (secured === undefined ? fastify({ ...common, http }) : fastify({ ...common, https: secured })) as unknown as FastifyInstance;
  app.server.maxConnections = limits.connectionsMax ?? 1000;
  return app;
}

function httpsOptions({ minVersion = 'TLSv1.2', clientFingerprint: _, ...identity }: RestTls): SecureContextOptions & TlsOptions {
  return { ...identity, minVersion, ...(identity.ca !== undefined && { requestCert: true, rejectUnauthorized: true }) };
}

/** Flink's paths have /v1 in front, or not. */
function withoutVersion(url: string): string {
  return /^\/v1(?=[/?]|$)/.test(url) ? url.slice(3).replace(/^(?!\/)/, '/') : url;
}

/** Before all others: without the certificate nobody learns anything. */
function addCertificateGuard(app: FastifyInstance, clientFingerprint: string | undefined): void {
  if (clientFingerprint === undefined) return;
  app.addHook('onRequest', async ({ raw: { socket } }) => {
    const found = socket instanceof TLSSocket ? socket.getPeerCertificate().fingerprint256 : undefined;
    if (found !== undefined && matchesFingerprint({ peerFingerprint: clientFingerprint }, found)) return;
    const message = `Cannot answer a client with this certificate: its fingerprint is ${found}. Use the one of security.ssl.rest.cert.fingerprint.`;
    throw new MillstreamError('FORBIDDEN', message);
  });
}

function addGuards(app: FastifyInstance, access: AccessControl): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw new MillstreamError(
        'INVALID_REQUEST',
        `Cannot read a body with the content encoding ${JSON.stringify(encoding)}: send it as it is.`,
      );
    }
    const role = neededRole(request.routeOptions.config.role, !request.is404);
    if (role === 'anybody') return;
    const { host, origin, authorization } = request.headers;
    access.check({ method: request.method, host, origin, authorization }, role);
  });
  app.addHook('onRoute', ({ schema }) => {
    if (schema !== undefined && !('hide' in schema)) schema.response = { ...(schema.response as object), default: errorBody };
  });
  // A trigger without a body is one without wishes.
  app.addHook('preValidation', async (request) => {
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {};
  });
}

function addErrorAnswers(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler((request) => {
    const where = `${request.method} ${JSON.stringify(request.url.split('?', 1)[0]?.slice(0, 200))}`;
    throw new MillstreamError('NOT_FOUND', `There is no ${where} here. GET /openapi.json lists what there is.`);
  });
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, body, unexpected } = errorResponse(error, request.id);
  if (unexpected) request.log.error({ err: error }, 'A REST request failed');
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 503) reply.header('retry-after', '1');
  void reply.code(status).headers(HEADERS).type('application/json; charset=utf-8').serializer(JSON.stringify).send(body);
}

/** What is no HTTP, or too slow, or has too large headers. */
function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'Cannot read this request: its headers are too large.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'Cannot wait longer for the rest of this request.']
        : ['400 Bad Request', 'Cannot read this request: it is no HTTP.'];
  const body = JSON.stringify({ errors: [message], code: 'INVALID_REQUEST' });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function addBodyParser(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request: FastifyRequest<object>, body, done) => {
    if (body.length === 0) done(null, undefined);
    else void parse(request, body as string, done);
  });
}

async function addRoutes(app: FastifyInstance, options: RestServerOptions): Promise<void> {
  const { gateway, submit = false, cancel = true, rescale = true, version, tokens = [] } = options;
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Millstream REST', version, description: "Flink's paths and shapes; each path also with /v1 in front." },
      ...(tokens.length > 0 && { security: [{ token: [] }] }),
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
  });
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  const routeOptions: RouteOptions = { gateway, submit, cancel, rescale, version };
  for (const routes of [
    clusterRoutes,
    taskManagerRoutes,
    jobRoutes,
    vertexRoutes,
    checkpointRoutes,
    savepointRoutes,
    metricRoutes,
    artifactRoutes,
  ]) {
    await typed.register(routes, routeOptions);
  }
  app.get('/openapi.json', { config: READ, schema: { hide: true } }, async () => app.swagger());
  await app.ready();
}

function listenError(error: unknown, host: string, port: number): unknown {
  const { code } = error as { readonly code?: string };
  if (code === 'EADDRINUSE') {
    const message = `Cannot offer REST on ${host}:${port}: another process listens there. End it, or choose another rest.port (0: any that is free).`;
    return new MillstreamError('ADDRESS_IN_USE', message, { cause: error });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES') {
    const message = `Cannot offer REST on ${host}:${port} (${code}): this machine has no such address, or does not allow it. Choose another rest.bind-address or rest.port.`;
    return new MillstreamError('INVALID_OPTION', message, { cause: error });
  }
  return error;
}
