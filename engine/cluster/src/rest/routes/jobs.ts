/** Jobs as a whole. */
import { MillstreamError } from 'millstream';
import { Type } from 'typebox';
import { checkAllowed } from '../allowed.js';
import { READ, type RoutePlugin, SUBMIT } from '../route-plugin.js';
import { empty, jobParameters as params } from '../schemas/common.js';
import {
  jobConfig,
  jobDetails,
  jobExceptions,
  jobExecutionResult,
  jobStatus,
  jobs,
  jobsOverview,
  planBody,
  resourceRequirements,
} from '../schemas/jobs.js';

const tags = ['jobs'];
const exceptionsQuery = Type.Object({ maxExceptions: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })) });
const terminationQuery = Type.Object({ mode: Type.Optional(Type.String({ maxLength: 32, description: "'cancel'" })) });

export const jobRoutes: RoutePlugin = async (app, { gateway, cancel, rescale }) => {
  app.get('/jobs', { config: READ, schema: { tags, summary: 'Ids and states of all jobs', response: { 200: jobs } } }, async () => ({
    jobs: await gateway.jobs(),
  }));
  app.get('/jobs/overview', { config: READ, schema: { tags, summary: 'All jobs', response: { 200: jobsOverview } } }, async () => ({
    jobs: await gateway.jobsOverview(),
  }));
  app.get(
    '/jobs/:jobid',
    { config: READ, schema: { tags, summary: 'A job with its vertices', params, response: { 200: jobDetails } } },
    async (request) => await gateway.job(request.params.jobid),
  );
  app.patch(
    '/jobs/:jobid',
    { config: SUBMIT, schema: { tags, summary: 'Cancels a job', params, querystring: terminationQuery, response: { 202: empty } } },
    async (request, reply) => {
      const mode = request.query.mode ?? 'cancel';
      if (mode !== 'cancel') {
        const message = `Cannot end a job by the mode ${JSON.stringify(mode)}: only 'cancel' is known. To end it with a savepoint, POST to /jobs/<job id>/stop.`;
        throw new MillstreamError('INVALID_REQUEST', message);
      }
      checkAllowed(cancel, 'cancel jobs of this cluster', 'web.cancel.enable');
      await gateway.cancelJob(request.params.jobid);
      return await reply.code(202).send({});
    },
  );
  app.get(
    '/jobs/:jobid/status',
    { config: READ, schema: { tags, summary: "A job's state", params, response: { 200: jobStatus } } },
    async (request) => ({ status: await gateway.jobStatus(request.params.jobid) }),
  );
  app.get(
    '/jobs/:jobid/config',
    { config: READ, schema: { tags, summary: "A job's options", params, response: { 200: jobConfig } } },
    async (request) => await gateway.jobConfig(request.params.jobid),
  );
  app.get(
    '/jobs/:jobid/plan',
    { config: READ, schema: { tags, summary: "A job's graph", params, response: { 200: planBody } } },
    async (request) => ({ plan: await gateway.jobPlan(request.params.jobid) }),
  );
  app.get(
    '/jobs/:jobid/exceptions',
    {
      config: READ,
      schema: { tags, summary: 'What failed, newest first', params, querystring: exceptionsQuery, response: { 200: jobExceptions } },
    },
    async (request) => await gateway.jobExceptions(request.params.jobid, request.query.maxExceptions),
  );
  app.get(
    '/jobs/:jobid/execution-result',
    { config: READ, schema: { tags, summary: 'How a job ended', params, response: { 200: jobExecutionResult } } },
    async (request) => await gateway.jobExecutionResult(request.params.jobid),
  );
  app.get(
    '/jobs/:jobid/resource-requirements',
    { config: READ, schema: { tags, summary: "Bounds of each vertex's parallelism", params, response: { 200: resourceRequirements } } },
    async (request) => await gateway.resourceRequirements(request.params.jobid),
  );
  app.put(
    '/jobs/:jobid/resource-requirements',
    { config: SUBMIT, schema: { tags, summary: 'Rescales a job', params, body: resourceRequirements, response: { 200: empty } } },
    async (request) => {
      checkAllowed(rescale, 'rescale jobs of this cluster', 'web.rescale.enable');
      await gateway.updateResourceRequirements(request.params.jobid, request.body);
      return {};
    },
  );
};
