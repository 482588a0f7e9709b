/** Pages of one other origin that may use the interface in a browser: a dashboard that is served elsewhere. */
import type { FastifyInstance } from 'fastify';
import { MillstreamError } from 'millstream';
import { VERSION_HEADER } from 'millstream/cluster';

const METHODS = 'GET, POST, PUT, PATCH, DELETE';
const REQUEST_HEADERS = `authorization, content-type, ${VERSION_HEADER}`;
/** How long a browser may remember what it was allowed, s. */
const REMEMBER_S = 600;

/** The origin of `web.access-control-allow-origin`. Throws INVALID_OPTION. */
export function checkedOrigin(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.origin === text) return text;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot set option "web.access-control-allow-origin" to ${JSON.stringify(text)}: it must be one origin, such as "https://localhost:8443". Any page that somebody looks at could use the cluster otherwise.`,
  );
}

/** Tells browsers that pages of `allowed` may ask and see the answers. Their requests need tokens like all others. */
export function allowOrigin(app: FastifyInstance, allowed: string | undefined): void {
  if (allowed === undefined) return;
  app.addHook('onRequest', async (request, reply) => {
    reply.header('vary', 'origin');
    if (request.headers.origin !== allowed) return;
    reply.header('access-control-allow-origin', allowed);
    if (request.method !== 'OPTIONS') return;
    // What a browser asks before the request itself, without a token.
    reply.headers({ 'access-control-allow-methods': METHODS, 'access-control-allow-headers': REQUEST_HEADERS });
    return await reply.code(204).header('access-control-max-age', REMEMBER_S).send();
  });
}
