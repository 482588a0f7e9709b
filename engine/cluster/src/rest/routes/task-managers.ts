/** TaskManagers. */
import { Type } from 'typebox';
import { READ, type RoutePlugin } from '../route-plugin.js';
import { taskManagerDetails, taskManagers } from '../schemas/cluster.js';
import { identifier } from '../schemas/common.js';

const tags = ['taskmanagers'];

export const taskManagerRoutes: RoutePlugin = async (app, { gateway }) => {
  app.get('/taskmanagers', { config: READ, schema: { tags, summary: 'All TaskManagers', response: { 200: taskManagers } } }, async () => ({
    taskmanagers: await gateway.taskManagers(),
  }));
  app.get(
    '/taskmanagers/:taskmanagerid',
    {
      config: READ,
      schema: {
        tags,
        summary: 'One TaskManager',
        params: Type.Object({ taskmanagerid: identifier }),
        response: { 200: taskManagerDetails },
      },
    },
    async ({ params }) => await gateway.taskManager(params.taskmanagerid),
  );
};
