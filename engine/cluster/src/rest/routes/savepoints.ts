/** Savepoints: taken, taken at the end of a job, disposed of. */
import { MillstreamError } from 'millstream';
import { Type } from 'typebox';
import { checkAllowed } from '../allowed.js';
import { ADMIN, READ, type RoutePlugin, SUBMIT } from '../route-plugin.js';
import { jobParameters as params, pathText, triggerId, triggerParameters, triggerResponse } from '../schemas/common.js';
import { disposalOperation, savepointOperation } from '../schemas/operations.js';
import { words } from '../schemas/shape.js';

const tags = ['savepoints'];
const strict = { additionalProperties: false } as const;
const format = Type.Optional(words(['CANONICAL', 'NATIVE']));
const trigger = Type.Optional(triggerId);

const savepointBody = Type.Object(
  { 'target-directory': Type.Optional(pathText), 'cancel-job': Type.Optional(Type.Boolean()), formatType: format, triggerId: trigger },
  strict,
);
const stopBody = Type.Object(
  { targetDirectory: Type.Optional(pathText), drain: Type.Optional(Type.Boolean()), formatType: format, triggerId: trigger },
  strict,
);
const disposalBody = Type.Object({ 'savepoint-path': pathText, triggerId: trigger }, strict);
const disposalParameters = Type.Object({ triggerid: triggerId });

function checkFormat(formatType: string | undefined): void {
  if (formatType !== 'NATIVE') return;
  const message =
    "Cannot write a savepoint in the format 'NATIVE': there is one format, which every state backend reads. Leave formatType out.";
  throw new MillstreamError('INVALID_REQUEST', message);
}

export const savepointRoutes: RoutePlugin = async (app, { gateway, cancel }) => {
  app.post(
    '/jobs/:jobid/savepoints',
    { config: SUBMIT, schema: { tags, summary: 'Asks for a savepoint', params, body: savepointBody, response: { 202: triggerResponse } } },
    async (request, reply) => {
      const { formatType, 'cancel-job': cancelJob, ...savepoint } = request.body;
      checkFormat(formatType);
      if (cancelJob === true) {
        const message =
          'Cannot cancel a job with a savepoint: records after it would be lost or done twice. POST to /jobs/<job id>/stop instead.';
        throw new MillstreamError('INVALID_REQUEST', message);
      }
      return await reply.code(202).send({ 'request-id': await gateway.triggerSavepoint(request.params.jobid, savepoint) });
    },
  );
  app.post(
    '/jobs/:jobid/stop',
    {
      config: SUBMIT,
      schema: { tags, summary: 'Ends a job with a savepoint', params, body: stopBody, response: { 202: triggerResponse } },
    },
    async (request, reply) => {
      const { formatType, ...stop } = request.body;
      checkAllowed(cancel, 'stop jobs of this cluster', 'web.cancel.enable');
      checkFormat(formatType);
      return await reply.code(202).send({ 'request-id': await gateway.stopWithSavepoint(request.params.jobid, stop) });
    },
  );
  app.get(
    '/jobs/:jobid/savepoints/:triggerid',
    {
      config: READ,
      schema: { tags, summary: 'How a savepoint or stop goes', params: triggerParameters, response: { 200: savepointOperation } },
    },
    async (request) => await gateway.savepointOperation(request.params.jobid, request.params.triggerid),
  );
  app.post(
    '/savepoint-disposal',
    { config: ADMIN, schema: { tags, summary: 'Removes a savepoint', body: disposalBody, response: { 202: triggerResponse } } },
    async (request, reply) => await reply.code(202).send({ 'request-id': await gateway.triggerSavepointDisposal(request.body) }),
  );
  app.get(
    '/savepoint-disposal/:triggerid',
    {
      config: READ,
      schema: { tags, summary: 'How the removal of a savepoint goes', params: disposalParameters, response: { 200: disposalOperation } },
    },
    async (request) => await gateway.savepointDisposalOperation(request.params.triggerid),
  );
};
