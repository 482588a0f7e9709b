/** The cluster: overview, configuration, health, end. */

import { ADMIN, ANYBODY, READ, type RoutePlugin } from '../route-plugin.js';
import { clusterOverview, configuration, dashboardConfiguration } from '../schemas/cluster.js';
import { empty } from '../schemas/common.js';
import { shape, words } from '../schemas/shape.js';

interface Health {
  readonly status: 'ok' | 'not ready';
}

const health = shape<Health>({ status: words(['ok', 'not ready']) });
const tags = ['cluster'];

export const clusterRoutes: RoutePlugin = async (app, { gateway }) => {
  app.get(
    '/healthz',
    { config: ANYBODY, schema: { tags, summary: 'The process lives', response: { 200: health } } },
    async () => ({ status: 'ok' }) as const,
  );
  app.get(
    '/readyz',
    { config: ANYBODY, schema: { tags, summary: 'A leader answers requests', response: { 200: health, 503: health } } },
    async (_request, reply) => {
      const ready = await gateway.ready();
      return await reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'not ready' });
    },
  );
  app.get(
    '/overview',
    { config: READ, schema: { tags, summary: 'TaskManagers, slots and jobs in numbers', response: { 200: clusterOverview } } },
    async () => await gateway.overview(),
  );
  app.get(
    '/config',
    { config: READ, schema: { tags, summary: 'What a dashboard needs to know', response: { 200: dashboardConfiguration } } },
    async () => await gateway.dashboardConfiguration(),
  );
  app.get(
    '/jobmanager/config',
    { config: READ, schema: { tags, summary: "The cluster's options", response: { 200: configuration } } },
    async () => await gateway.clusterConfiguration(),
  );
  app.delete(
    '/cluster',
    { config: ADMIN, schema: { tags, summary: 'Ends this JobManager; TaskManagers look for another', response: { 200: empty } } },
    async () => {
      await gateway.shutDown();
      return {};
    },
  );
};
