/** Checkpoints of a job. */
import { Type } from 'typebox';
import { READ, type RoutePlugin, SUBMIT } from '../route-plugin.js';
import { checkpoint, checkpointing, checkpointOfVertex, checkpointSettings } from '../schemas/checkpoints.js';
import { identifier, jobParameters as params, triggerId, triggerParameters, triggerResponse } from '../schemas/common.js';
import { checkpointOperation } from '../schemas/operations.js';
import { words } from '../schemas/shape.js';

const tags = ['checkpoints'];
const number = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const checkpointParameters = Type.Object({ jobid: identifier, checkpointid: number });
const vertexParameters = Type.Object({ jobid: identifier, checkpointid: number, vertexid: identifier });
const triggerBody = Type.Object(
  { triggerId: Type.Optional(triggerId), checkpointType: Type.Optional(words(['CONFIGURED', 'FULL', 'INCREMENTAL'])) },
  { additionalProperties: false },
);

export const checkpointRoutes: RoutePlugin = async (app, { gateway }) => {
  app.get(
    '/jobs/:jobid/checkpoints',
    { config: READ, schema: { tags, summary: 'Counts, summary, latest and history', params, response: { 200: checkpointing } } },
    async (request) => await gateway.checkpoints(request.params.jobid),
  );
  app.get(
    '/jobs/:jobid/checkpoints/config',
    { config: READ, schema: { tags, summary: 'How a job takes checkpoints', params, response: { 200: checkpointSettings } } },
    async (request) => await gateway.checkpointSettings(request.params.jobid),
  );
  app.get(
    '/jobs/:jobid/checkpoints/details/:checkpointid',
    {
      config: READ,
      schema: { tags, summary: 'A checkpoint with its vertices', params: checkpointParameters, response: { 200: checkpoint } },
    },
    async (request) => await gateway.checkpoint(request.params.jobid, request.params.checkpointid),
  );
  app.get(
    '/jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid',
    {
      config: READ,
      schema: { tags, summary: "A vertex's subtasks in a checkpoint", params: vertexParameters, response: { 200: checkpointOfVertex } },
    },
    async ({ params: { jobid, vertexid, checkpointid } }) =>
      await gateway.checkpointOfVertex({ jobId: jobid, vertexId: vertexid }, checkpointid),
  );
  app.post(
    '/jobs/:jobid/checkpoints',
    { config: SUBMIT, schema: { tags, summary: 'Asks for a checkpoint', params, body: triggerBody, response: { 202: triggerResponse } } },
    async (request, reply) => {
      const id = await gateway.triggerCheckpoint(request.params.jobid, request.body);
      return await reply.code(202).send({ 'request-id': id });
    },
  );
  app.get(
    '/jobs/:jobid/checkpoints/:triggerid',
    {
      config: READ,
      schema: {
        tags,
        summary: 'How a checkpoint that was asked for goes',
        params: triggerParameters,
        response: { 200: checkpointOperation },
      },
    },
    async (request) => await gateway.checkpointOperation(request.params.jobid, request.params.triggerid),
  );
};
