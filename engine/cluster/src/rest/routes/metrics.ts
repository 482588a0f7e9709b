/** Metrics of everything that has some: without `get` the names that there are, with it their values. */

import { MillstreamError } from 'millstream';
import type { MetricAggregation, MetricGroup } from 'millstream/cluster';
import { type Static, type TObject, type TOptional, type TString, Type } from 'typebox';
import { READ, type RoutePlugin } from '../route-plugin.js';
import { aggregatedMetrics, metrics } from '../schemas/cluster.js';
import { commaSeparated, identifier, jobParameters, vertexParameters } from '../schemas/common.js';

const tags = ['metrics'];
const names = Type.Optional(Type.String({ maxLength: 8192, description: 'names, with commas between' }));
const members = Type.Optional(Type.String({ maxLength: 8192, description: 'ids, with commas between; all if absent' }));
const selection: TObject<{ get: TOptional<TString> }> = Type.Object({ get: names });
const aggregation = Type.Optional(Type.String({ maxLength: 64, description: 'of min, max, sum, avg, with commas between; all if absent' }));
const taskManagerParameters = Type.Object({ taskmanagerid: identifier });
const subtaskParameters = Type.Object({
  jobid: identifier,
  vertexid: identifier,
  subtaskindex: Type.Integer({ minimum: 0, maximum: 32767 }),
});

type Selection = Static<typeof selection>;

function namesOf({ get }: Selection): readonly string[] | undefined {
  return commaSeparated(get);
}

function aggregationsOf(text: string | undefined): readonly MetricAggregation[] | undefined {
  return commaSeparated(text)?.map((word) => {
    const known = (['min', 'max', 'sum', 'avg'] as const).find((one) => one === word.toLowerCase());
    if (known !== undefined) return known;
    throw new MillstreamError('INVALID_REQUEST', `Cannot aggregate by ${JSON.stringify(word)}: known are min, max, sum and avg.`);
  });
}

function withMembers<T extends MetricGroup>(group: T, text: string | undefined): T {
  const list = commaSeparated(text);
  return list === undefined ? group : { ...group, members: list };
}

export const metricRoutes: RoutePlugin = async (app, options) => {
  const { gateway } = options;
  app.get(
    '/jobmanager/metrics',
    { config: READ, schema: { tags, summary: "The JobManager's metrics", querystring: selection, response: { 200: metrics } } },
    async ({ query }) => await gateway.metrics({ type: 'jobmanager' }, namesOf(query)),
  );
  app.get(
    '/taskmanagers/:taskmanagerid/metrics',
    {
      config: READ,
      schema: {
        tags,
        summary: "A TaskManager's metrics",
        params: taskManagerParameters,
        querystring: selection,
        response: { 200: metrics },
      },
    },
    async ({ params, query }) => await gateway.metrics({ type: 'taskmanager', taskManagerId: params.taskmanagerid }, namesOf(query)),
  );
  app.get(
    '/jobs/:jobid/metrics',
    {
      config: READ,
      schema: { tags, summary: "A job's metrics", params: jobParameters, querystring: selection, response: { 200: metrics } },
    },
    async ({ params, query }) => await gateway.metrics({ type: 'job', jobId: params.jobid }, namesOf(query)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/metrics',
    {
      config: READ,
      schema: {
        tags,
        summary: 'Metrics of all subtasks of a vertex',
        params: vertexParameters,
        querystring: selection,
        response: { 200: metrics },
      },
    },
    async ({ params, query }) => await gateway.metrics({ type: 'vertex', jobId: params.jobid, vertexId: params.vertexid }, namesOf(query)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/metrics',
    {
      config: READ,
      schema: { tags, summary: "A subtask's metrics", params: subtaskParameters, querystring: selection, response: { 200: metrics } },
    },
    async ({ params, query }) =>
      await gateway.metrics(
        { type: 'subtask', jobId: params.jobid, vertexId: params.vertexid, subtask: params.subtaskindex },
        namesOf(query),
      ),
  );
  await app.register(aggregatedMetricRoutes, options);
};

const aggregatedMetricRoutes: RoutePlugin = async (app, { gateway }) => {
  app.get(
    '/jobs/metrics',
    {
      config: READ,
      schema: {
        tags,
        summary: 'Metrics over jobs',
        querystring: Type.Object({ get: names, agg: aggregation, jobs: members }),
        response: { 200: aggregatedMetrics },
      },
    },
    async ({ query }) =>
      await gateway.aggregatedMetrics(withMembers({ type: 'jobs' }, query.jobs), namesOf(query), aggregationsOf(query.agg)),
  );
  app.get(
    '/taskmanagers/metrics',
    {
      config: READ,
      schema: {
        tags,
        summary: 'Metrics over TaskManagers',
        querystring: Type.Object({ get: names, agg: aggregation, taskmanagers: members }),
        response: { 200: aggregatedMetrics },
      },
    },
    async ({ query }) =>
      await gateway.aggregatedMetrics(withMembers({ type: 'taskmanagers' }, query.taskmanagers), namesOf(query), aggregationsOf(query.agg)),
  );
  app.get(
    '/jobs/:jobid/vertices/:vertexid/subtasks/metrics',
    {
      config: READ,
      schema: {
        tags,
        summary: 'Metrics over the subtasks of a vertex',
        params: vertexParameters,
        querystring: Type.Object({ get: names, agg: aggregation, subtasks: members }),
        response: { 200: aggregatedMetrics },
      },
    },
    async ({ params, query }) =>
      await gateway.aggregatedMetrics(
        withMembers({ type: 'subtasks', jobId: params.jobid, vertexId: params.vertexid }, query.subtasks),
        namesOf(query),
        aggregationsOf(query.agg),
      ),
  );
};
