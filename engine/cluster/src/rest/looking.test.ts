/** What is looked at over HTTP: the cluster, jobs, vertices and metrics in Flink's shapes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JOB_ID, START, vertexIds } from './memory-cluster.test.support.js';
import { RestRig } from './rest-rig.test.support.js';

let rig: RestRig;

beforeEach(async () => {
  rig = await RestRig.start();
});

afterEach(async () => {
  await rig.server.close();
});

const RUNNING = (count: number): unknown => expect.objectContaining({ RUNNING: count, FAILED: 0, FINISHED: 0 });

describe('the cluster', () => {
  it('shows its overview, with and without /v1', async () => {
    const expected = {
      taskmanagers: 2,
      'slots-total': 4,
      'slots-available': 2,
      'jobs-running': 1,
      'jobs-finished': 0,
      'jobs-cancelled': 0,
      'jobs-failed': 0,
      'millstream-version': '0.1.0-test',
    };
    expect(await rig.get('/overview')).toEqual(expected);
    expect(await rig.get('/v1/overview')).toEqual(expected);
    expect((await rig.ask('GET', '/v1')).status).toBe(404);
    expect((await rig.ask('GET', '/v2/overview')).status).toBe(404);
  });

  it('shows configuration and TaskManagers', async () => {
    expect(await rig.get('/jobmanager/config')).toContainEqual({ key: 'security.rest.token.admin', value: '******' });
    expect(await rig.get('/config')).toEqual({
      'refresh-interval': 3000,
      'millstream-version': '0.1.0-test',
      features: { 'web-submit': true, 'web-cancel': true, 'web-rescale': true, 'web-history': false },
    });
    const info = {
      id: 'tm-1',
      path: '127.0.0.1:6122',
      dataPort: 6121,
      timeSinceLastHeartbeat: START + 60_000,
      slotsNumber: 2,
      freeSlots: 1,
      hardware: { cpuCores: 4, physicalMemory: 8e9, freeMemory: 1e9 },
    };
    expect(await rig.get('/taskmanagers')).toEqual({ taskmanagers: [info, expect.objectContaining({ id: 'tm-2' })] });
    expect(await rig.get('/taskmanagers/tm-1')).toEqual({
      ...info,
      allocatedSlots: [{ jobId: JOB_ID }],
      metrics: { heapUsed: 1000, heapMax: 9000 },
    });
    expect((await rig.ask('GET', '/taskmanagers/tm-9')).status).toBe(404);
  });

  it('is alive, and ready as long as it leads', async () => {
    expect(await rig.get('/healthz')).toEqual({ status: 'ok' });
    expect(await rig.get('/readyz')).toEqual({ status: 'ok' });
    rig.cluster.leads = false;
    expect(await rig.get('/healthz')).toEqual({ status: 'ok' });
    expect(await rig.ask('GET', '/readyz')).toMatchObject({ status: 503, body: { status: 'not ready' } });
    const refused = await rig.ask('GET', '/jobs');
    expect(refused).toMatchObject({
      status: 503,
      body: { code: 'CLUSTER_UNAVAILABLE', errors: [expect.stringContaining('does not lead')] },
    });
    expect(refused.headers.get('retry-after')).toBe('1');
  });

  it('ends', async () => {
    expect((await rig.ask('DELETE', '/cluster')).status).toBe(200);
    expect(rig.cluster.ended).toBe(true);
  });

  it('describes all its routes', async () => {
    const document = (await rig.get('/openapi.json')) as { openapi: string; paths: Record<string, Record<string, unknown>> };
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations).toContain('get /jobs/{jobid}/vertices/{vertexid}/backpressure');
    expect(operations).toContain('put /jobs/{jobid}/resource-requirements');
    expect(operations.length).toBeGreaterThan(45);
    expect(document.paths['/jobs']).toHaveProperty(['get', 'responses', 'default']);
    expect(JSON.stringify(document.paths['/jobs/{jobid}/stop'])).toContain('targetDirectory');
  });
});

describe('jobs', () => {
  it('are listed', async () => {
    expect(await rig.get('/jobs')).toEqual({ jobs: [{ id: JOB_ID, status: 'RUNNING' }] });
    expect(await rig.get('/jobs/overview')).toEqual({
      jobs: [
        {
          jid: JOB_ID,
          name: 'sums',
          state: 'RUNNING',
          'start-time': START,
          'end-time': -1,
          duration: expect.any(Number),
          'last-modification': START + 2,
          tasks: expect.objectContaining({ total: 4, RUNNING: 4, CREATED: 0 }),
        },
      ],
    });
  });

  it('have details with vertices and plan', async () => {
    const { source, sum } = vertexIds(rig.cluster);
    const details = (await rig.get(`/jobs/${JOB_ID}`)) as Record<string, unknown>;
    expect(details).toMatchObject({
      jid: JOB_ID,
      isStoppable: true,
      maxParallelism: 128,
      timestamps: { INITIALIZING: START, RUNNING: START + 2, FAILED: 0 },
      'status-counts': RUNNING(2),
    });
    expect((details as { vertices: unknown[] }).vertices[1]).toEqual({
      id: sum,
      name: 'sum -> Sink: print',
      slotSharingGroupId: 'default',
      maxParallelism: 128,
      parallelism: 2,
      status: 'RUNNING',
      'start-time': START + 2,
      'end-time': -1,
      duration: expect.any(Number),
      tasks: RUNNING(2),
      metrics: {
        'read-records': 300,
        'read-records-complete': true,
        'accumulated-backpressured-time': 600,
        'accumulated-idle-time': 400,
        'accumulated-busy-time': 801,
      },
    });
    const plan = {
      jid: JOB_ID,
      name: 'sums',
      type: 'STREAMING',
      nodes: [
        { id: source, parallelism: 2, operator: 'source', description: expect.stringContaining('Source: ') },
        {
          id: sum,
          parallelism: 2,
          operator: 'reduce',
          description: 'sum -> Sink: print',
          inputs: [{ num: 0, id: source, ship_strategy: 'HASH', exchange: 'pipelined_bounded' }],
        },
      ],
    };
    expect(details.plan).toEqual(plan);
    expect(await rig.get(`/jobs/${JOB_ID}/plan`)).toEqual({ plan });
  });

  it('have status, configuration and result', async () => {
    expect(await rig.get(`/jobs/${JOB_ID}/status`)).toEqual({ status: 'RUNNING' });
    expect(await rig.get(`/jobs/${JOB_ID}/config`)).toEqual({
      jid: JOB_ID,
      name: 'sums',
      'execution-config': {
        'restart-strategy': 'exponential-delay',
        'job-parallelism': 2,
        'user-config': { 'parallelism.default': '2' },
      },
    });
    expect(await rig.get(`/jobs/${JOB_ID}/execution-result`)).toEqual({ status: { id: 'IN_PROGRESS' } });
    rig.cluster.fail(JOB_ID, new TypeError('no such item'));
    expect(await rig.get(`/jobs/${JOB_ID}/execution-result`)).toEqual({
      status: { id: 'COMPLETED' },
      'job-execution-result': {
        id: JOB_ID,
        'application-status': 'FAILED',
        'net-runtime': 100,
        'failure-cause': { class: 'TypeError', 'stack-trace': expect.stringContaining('no such item') },
      },
    });
  });

  it('have a history of exceptions', async () => {
    expect(await rig.get(`/jobs/${JOB_ID}/exceptions`)).toEqual({ exceptionHistory: { entries: [], truncated: false } });
    rig.cluster.fail(JOB_ID, new TypeError('first'));
    rig.cluster.fail(JOB_ID, new TypeError('second'));
    expect(await rig.get(`/jobs/${JOB_ID}/exceptions?maxExceptions=1`)).toEqual({
      exceptionHistory: {
        entries: [
          {
            exceptionName: 'TypeError',
            stacktrace: expect.stringContaining('TypeError: second'),
            timestamp: START + 50,
            failureLabels: {},
            taskName: 'sum (2/2)',
            endpoint: '127.0.0.2',
            taskManagerId: 'tm-2',
            concurrentExceptions: [],
          },
        ],
        truncated: true,
      },
    });
    expect((await rig.ask('GET', `/jobs/${JOB_ID}/exceptions?maxExceptions=no`)).status).toBe(400);
  });

  it('are cancelled, twice if need be', async () => {
    expect(await rig.ask('PATCH', `/jobs/${JOB_ID}?mode=stop`)).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(await rig.ask('PATCH', `/jobs/${JOB_ID}?mode=cancel`)).toMatchObject({ status: 202, body: {} });
    expect(await rig.ask('PATCH', `/jobs/${JOB_ID}`)).toMatchObject({ status: 202 });
    expect(await rig.get(`/jobs/${JOB_ID}/status`)).toEqual({ status: 'CANCELED' });
  });

  it('are rescaled within bounds', async () => {
    const { source, sum } = vertexIds(rig.cluster);
    const path = `/jobs/${JOB_ID}/resource-requirements`;
    expect(await rig.get(path)).toEqual({
      [source]: { parallelism: { lowerBound: 1, upperBound: 2 } },
      [sum]: { parallelism: { lowerBound: 1, upperBound: 2 } },
    });
    const wanted = {
      [source]: { parallelism: { lowerBound: 1, upperBound: 1 } },
      [sum]: { parallelism: { lowerBound: 2, upperBound: 4 } },
    };
    expect((await rig.ask('PUT', path, wanted)).status).toBe(200);
    expect(await rig.get(path)).toEqual(wanted);
    const refusals: [unknown, string][] = [
      [{ [source]: wanted[source] }, 'is missing'],
      [{ ...wanted, other: wanted[source] }, "no vertex 'other'"],
      [{ ...wanted, [sum]: { parallelism: { lowerBound: 3, upperBound: 2 } } }, 'cannot have 3 to 2'],
      [{ ...wanted, [sum]: { parallelism: { lowerBound: 1, upperBound: 129 } } }, 'cannot have 1 to 129'],
      [{ ...wanted, [sum]: { parallelism: { lowerBound: 0, upperBound: 2 } } }, '>= 1'],
      [{ ...wanted, [sum]: {} }, 'parallelism'],
    ];
    for (const [body, reason] of refusals) {
      expect(await rig.ask('PUT', path, body)).toMatchObject({ status: 400, body: { errors: [expect.stringContaining(reason)] } });
    }
    expect(await rig.get(path)).toEqual(wanted);
    await rig.ask('PATCH', `/jobs/${JOB_ID}`);
    expect(await rig.ask('PUT', path, wanted)).toMatchObject({ status: 409, body: { code: 'REQUEST_CONFLICT' } });
  });

  it('that are not there are not found', async () => {
    for (const path of ['', '/status', '/plan', '/checkpoints', '/exceptions', '/vertices/x', '/metrics', '/resource-requirements']) {
      expect(await rig.ask('GET', `/jobs/unknown${path}`)).toMatchObject({
        status: 404,
        body: { code: 'NOT_FOUND', errors: [expect.stringContaining("job 'unknown'")] },
      });
    }
    expect((await rig.ask('GET', `/jobs/${JOB_ID}/vertices/unknown`)).body).toMatchObject({
      errors: [expect.stringContaining("vertex 'unknown'")],
    });
  });
});

describe('vertices', () => {
  const path = (rest = ''): string => `/jobs/${JOB_ID}/vertices/${encodeURIComponent(vertexIds(rig.cluster).sum)}${rest}`;
  const metrics = {
    'read-records': 200,
    'read-records-complete': true,
    'accumulated-backpressured-time': 300,
    'accumulated-idle-time': 200,
    'accumulated-busy-time': 400,
  };
  const subtask = (attempt: number): Record<string, unknown> => ({
    subtask: 1,
    status: attempt === 1 ? 'RUNNING' : 'FAILED',
    attempt,
    endpoint: '127.0.0.2',
    'taskmanager-id': 'tm-2',
    'start-time': START + 2,
    'end-time': attempt === 1 ? -1 : START + 20,
    duration: attempt === 1 ? expect.any(Number) : 18,
    metrics,
  });

  it('have subtasks and their attempts', async () => {
    expect(await rig.get(path())).toMatchObject({
      name: 'sum -> Sink: print',
      parallelism: 2,
      maxParallelism: 128,
      subtasks: [{ subtask: 0 }, subtask(1)],
    });
    expect(await rig.get(path('/subtasks/1'))).toEqual(subtask(1));
    expect(await rig.get(path('/subtasks/1/attempts/0'))).toEqual(subtask(0));
    for (const rest of ['/subtasks/2', '/subtasks/1/attempts/7']) expect((await rig.ask('GET', path(rest))).status).toBe(404);
    for (const rest of ['/subtasks/-1', '/subtasks/x', '/subtasks/1.5', '/subtasks/1/attempts/1e99'])
      expect((await rig.ask('GET', path(rest))).status).toBe(400);
  });

  it('have times and TaskManagers', async () => {
    expect(await rig.get(path('/subtasktimes'))).toMatchObject({
      subtasks: [
        { subtask: 0, endpoint: '127.0.0.1', timestamps: { DEPLOYING: START + 2, RUNNING: START + 10, FINISHED: 0 } },
        { subtask: 1 },
      ],
    });
    const { taskmanagers } = (await rig.get(path('/taskmanagers'))) as { taskmanagers: unknown[] };
    expect(taskmanagers).toHaveLength(2);
    expect(taskmanagers[1]).toEqual({
      endpoint: '127.0.0.2',
      'taskmanager-id': 'tm-2',
      status: 'RUNNING',
      'start-time': START + 2,
      'end-time': -1,
      duration: expect.any(Number),
      metrics,
      'status-counts': RUNNING(1),
    });
  });

  it('have watermarks and back pressure', async () => {
    expect(await rig.get(path('/watermarks'))).toEqual([{ id: '0.currentInputWatermark', value: '5000' }]);
    expect(await rig.get(path('/backpressure'))).toEqual({
      status: 'ok',
      backpressureLevel: 'low',
      'end-timestamp': expect.any(Number),
      subtasks: [
        { subtask: 0, 'attempt-number': 1, backpressureLevel: 'ok', ratio: 0.05, idleRatio: 0.2, busyRatio: 0.4 },
        { subtask: 1, 'attempt-number': 1, backpressureLevel: 'low', ratio: 0.3, idleRatio: 0.2, busyRatio: 0.4 },
      ],
    });
  });

  it('have metrics, as everything else', async () => {
    expect(await rig.get(path('/subtasks/1/metrics?get=numRecordsIn,sum.numRecordsIn,unknown,currentInputWatermark'))).toEqual([
      { id: 'numRecordsIn', value: '200' },
      { id: 'sum.numRecordsIn', value: '200' },
      { id: 'currentInputWatermark', value: '-9223372036854775808' },
    ]);
    expect(await rig.get(path('/subtasks/1/metrics'))).toContainEqual({ id: 'busyTimeMsPerSecond' });
    expect(await rig.get(path('/metrics?get=0.numRecordsIn'))).toEqual([{ id: '0.numRecordsIn', value: '100' }]);
    expect(await rig.get(path('/subtasks/metrics?get=numRecordsIn'))).toEqual([
      { id: 'numRecordsIn', min: 100, max: 200, sum: 300, avg: 150 },
    ]);
    expect(await rig.get(path('/subtasks/metrics?get=numRecordsIn&agg=max,SUM&subtasks=1'))).toEqual([
      { id: 'numRecordsIn', max: 200, sum: 200 },
    ]);
    expect(await rig.get(path('/subtasks/metrics?get=currentInputWatermark&agg=min'))).toEqual([
      { id: 'currentInputWatermark', min: 5000 },
    ]);
    expect((await rig.ask('GET', path('/subtasks/metrics?get=a&agg=median'))).status).toBe(400);
    expect(await rig.get(`/jobs/${JOB_ID}/metrics?get=numRestarts`)).toEqual([{ id: 'numRestarts', value: '1' }]);
    expect(await rig.get('/jobs/metrics?get=numRestarts&agg=sum')).toEqual([{ id: 'numRestarts', sum: 1 }]);
    expect(await rig.get('/jobs/metrics?get=numRestarts&jobs=other')).toEqual([]);
    expect(await rig.get('/taskmanagers/metrics?get=heapUsed&agg=avg')).toEqual([{ id: 'heapUsed', avg: 1500 }]);
    expect(await rig.get('/taskmanagers/tm-2/metrics?get=heapUsed')).toEqual([{ id: 'heapUsed', value: '2000' }]);
    expect(await rig.get('/jobmanager/metrics')).toEqual([{ id: 'heapUsed' }, { id: 'taskSlotsTotal' }]);
  });
});
