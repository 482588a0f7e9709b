/** Vertices and subtasks of a job. */
import type { VertexReference } from 'millstream/cluster';
import { Type } from 'typebox';
import { READ, type RoutePlugin } from '../route-plugin.js';
import { metrics } from '../schemas/cluster.js';
import { identifier, vertexParameters as params } from '../schemas/common.js';
import { backPressure, subtaskDetails, subtasksTimes, vertexDetails, vertexTaskManagers } from '../schemas/vertices.js';

const tags = ['vertices'];
const index = Type.Integer({ minimum: 0, maximum: 32767 });
const subtaskParameters = Type.Object({ jobid: identifier, vertexid: identifier, subtaskindex: index });
const attemptParameters = Type.Object({
  jobid: identifier,
  vertexid: identifier,
  subtaskindex: index,
  attempt: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
});

function referenceOf({ jobid, vertexid }: { readonly jobid: string; readonly vertexid: string }): VertexReference {
  return { jobId: jobid, vertexId: vertexid };
}

export const vertexRoutes: RoutePlugin = async (app, { gateway }) => {
  app.get(
    '/jobs/:jobid/vertices/:vertexid',
    { config: READ, schema: { tags, summary: 'A vertex with its subtasks', params, response: { 200: vertexDetails } } },
    async (request) => await gateway.vertex(referenceOf(request.params)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/subtasktimes',
    { config: READ, schema: { tags, summary: 'When each subtask entered each state', params, response: { 200: subtasksTimes } } },
    async (request) => await gateway.subtaskTimes(referenceOf(request.params)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/taskmanagers',
    { config: READ, schema: { tags, summary: 'A vertex by TaskManager', params, response: { 200: vertexTaskManagers } } },
    async (request) => await gateway.vertexTaskManagers(referenceOf(request.params)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/watermarks',
    { config: READ, schema: { tags, summary: "Each subtask's watermark", params, response: { 200: metrics } } },
    async (request) => await gateway.watermarks(referenceOf(request.params)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/backpressure',
    { config: READ, schema: { tags, summary: 'How busy and how held up each subtask is', params, response: { 200: backPressure } } },
    async (request) => await gateway.backPressure(referenceOf(request.params)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex',
    {
      config: READ,
      schema: { tags, summary: "A subtask's newest attempt", params: subtaskParameters, response: { 200: subtaskDetails } },
    },
    async (request) => await gateway.subtask(referenceOf(request.params), request.params.subtaskindex),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/attempts/:attempt',
    { config: READ, schema: { tags, summary: 'An attempt of a subtask', params: attemptParameters, response: { 200: subtaskDetails } } },
    async (request) => await gateway.subtask(referenceOf(request.params), request.params.subtaskindex, request.params.attempt),
  );
};
