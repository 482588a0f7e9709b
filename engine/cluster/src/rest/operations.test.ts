/** What is asked for over HTTP: checkpoints, savepoints and programs in Flink's shapes, and what is refused. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JOB_ID, memoryCluster, START, vertexIds } from './memory-cluster.test.support.js';
import { RestRig } from './rest-rig.test.support.js';

let rig: RestRig;

beforeEach(async () => {
  rig = await RestRig.start();
});

afterEach(async () => {
  await rig.server.close();
});

const SUMMARY = (value: number): unknown => ({
  min: value,
  max: value,
  avg: value,
  p50: value,
  p90: value,
  p95: value,
  p99: value,
  p999: value,
});

describe('checkpoints', () => {
  it('have statistics, details and settings', async () => {
    const { source, sum } = vertexIds(rig.cluster);
    await rig.cluster.takeCheckpoint(JOB_ID, 'checkpoint');
    const overview = {
      className: 'completed',
      id: 1,
      status: 'COMPLETED',
      is_savepoint: false,
      checkpoint_type: 'CHECKPOINT',
      trigger_timestamp: START + 1000,
      latest_ack_timestamp: START + 1006,
      checkpointed_size: 40,
      state_size: 120,
      end_to_end_duration: 20,
      num_subtasks: 4,
      num_acknowledged_subtasks: 4,
      external_path: '/checkpoints/chk-1',
      discarded: false,
    };
    expect(await rig.get(`/jobs/${JOB_ID}/checkpoints`)).toEqual({
      counts: { restored: 0, total: 1, in_progress: 0, completed: 1, failed: 0 },
      summary: { checkpointed_size: SUMMARY(40), state_size: SUMMARY(120), end_to_end_duration: SUMMARY(20) },
      latest: { completed: overview },
      history: [overview],
    });
    const task = {
      id: 1,
      status: 'COMPLETED',
      latest_ack_timestamp: START + 1006,
      checkpointed_size: 20,
      state_size: 60,
      end_to_end_duration: 6,
      num_subtasks: 2,
      num_acknowledged_subtasks: 2,
    };
    expect(await rig.get(`/jobs/${JOB_ID}/checkpoints/details/1`)).toEqual({ ...overview, tasks: { [source]: task, [sum]: task } });
    expect(await rig.get(`/jobs/${JOB_ID}/checkpoints/details/1/subtasks/${encodeURIComponent(sum)}`)).toEqual({
      ...task,
      subtasks: [0, 1].map((index) => ({
        className: 'completed',
        index,
        status: 'completed',
        ack_timestamp: START + 1005 + index,
        end_to_end_duration: 5 + index,
        checkpointed_size: 10,
        state_size: 30,
      })),
    });
    expect((await rig.ask('GET', `/jobs/${JOB_ID}/checkpoints/details/2`)).status).toBe(404);
    expect(await rig.get(`/jobs/${JOB_ID}/checkpoints/config`)).toMatchObject({
      mode: 'exactly_once',
      interval: 1000,
      externalization: { enabled: true },
    });
  });

  it('are triggered once per id', async () => {
    const triggerId = 'a'.repeat(32);
    for (let i = 0; i < 3; i++) {
      expect(await rig.ask('POST', `/jobs/${JOB_ID}/checkpoints`, { triggerId })).toMatchObject({
        status: 202,
        body: { 'request-id': triggerId },
      });
    }
    await expect
      .poll(() => rig.get(`/jobs/${JOB_ID}/checkpoints/${triggerId}`))
      .toEqual({ status: { id: 'COMPLETED' }, operation: { checkpointId: 1 } });
    expect(await rig.get(`/jobs/${JOB_ID}/checkpoints`)).toMatchObject({ counts: { total: 1 } });
    expect(await rig.ask('POST', `/jobs/${JOB_ID}/savepoints`, { triggerId })).toMatchObject({
      status: 409,
      body: { code: 'REQUEST_CONFLICT' },
    });
    expect((await rig.ask('POST', `/jobs/${JOB_ID}/checkpoints`, { checkpointType: 'FULL' })).status).toBe(400);
    expect((await rig.ask('POST', `/jobs/${JOB_ID}/checkpoints`)).status).toBe(202);
    expect((await rig.ask('GET', `/jobs/${JOB_ID}/checkpoints/${'b'.repeat(32)}`)).status).toBe(404);
  });
});

describe('savepoints', () => {
  it('are in progress, then have a location', async () => {
    const gate = Promise.withResolvers<void>();
    rig.cluster.gate = gate.promise;
    const { status, body } = await rig.ask('POST', `/jobs/${JOB_ID}/savepoints`, { 'target-directory': '/mine' });
    expect(status).toBe(202);
    const id = (body as { 'request-id': string })['request-id'];
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(await rig.get(`/jobs/${JOB_ID}/savepoints/${id}`)).toEqual({ status: { id: 'IN_PROGRESS' } });
    gate.resolve();
    const done = { status: { id: 'COMPLETED' }, operation: { location: '/mine/savepoint-1' } };
    await expect.poll(() => rig.get(`/jobs/${JOB_ID}/savepoints/${id}`)).toEqual(done);
  });

  it('that fail say why', async () => {
    const triggerId = 'c'.repeat(32);
    await rig.ask('POST', `/jobs/${JOB_ID}/savepoints`, { 'target-directory': '/full', triggerId });
    const failure = { class: 'DISK_FULL', 'stack-trace': "Cannot write the savepoint '/full': the disk is full." };
    await expect
      .poll(() => rig.get(`/jobs/${JOB_ID}/savepoints/${triggerId}`))
      .toEqual({
        status: { id: 'COMPLETED' },
        operation: { 'failure-cause': failure },
      });
  });

  it('end a job, and the same trigger again starts nothing', async () => {
    const triggerId = 'd'.repeat(32);
    expect((await rig.ask('POST', `/jobs/${JOB_ID}/stop`, { drain: true, triggerId })).status).toBe(202);
    const done = { status: { id: 'COMPLETED' }, operation: { location: '/savepoints/savepoint-1' } };
    await expect.poll(() => rig.get(`/jobs/${JOB_ID}/savepoints/${triggerId}`)).toEqual(done);
    expect(await rig.get(`/jobs/${JOB_ID}/status`)).toEqual({ status: 'FINISHED' });
    expect((await rig.ask('POST', `/jobs/${JOB_ID}/stop`, { drain: true, triggerId })).status).toBe(202);
    expect(rig.cluster.stops).toEqual([{ jobId: JOB_ID, drain: true }]);
    expect((await rig.ask('POST', `/jobs/${JOB_ID}/stop`, {})).status).toBe(409);
  });

  it('are disposed of', async () => {
    rig.cluster.savepoints.add('/old');
    const { body } = await rig.ask('POST', '/savepoint-disposal', { 'savepoint-path': '/old' });
    const id = (body as { 'request-id': string })['request-id'];
    await expect.poll(() => rig.get(`/savepoint-disposal/${id}`)).toEqual({ status: { id: 'COMPLETED' }, operation: {} });
    expect(rig.cluster.savepoints.size).toBe(0);
    expect((await rig.ask('POST', '/savepoint-disposal')).status).toBe(400);
  });

  it.each([
    ['savepoints', { targetDirectory: '/typo' }, 'additional properties'],
    ['savepoints', { 'cancel-job': true }, '/stop'],
    ['savepoints', { formatType: 'NATIVE' }, 'one format'],
    ['stop', { drain: 'perhaps' }, 'drain'],
    ['stop', { triggerId: '../../etc' }, 'triggerId'],
  ])('are refused: %s %j', async (resource, body, reason) => {
    expect(await rig.ask('POST', `/jobs/${JOB_ID}/${resource}`, body)).toMatchObject({
      status: 400,
      body: { errors: [expect.stringContaining(reason)] },
    });
    expect(rig.cluster.savepoints.size).toBe(0);
  });
});

describe('artifacts', () => {
  it('are uploaded, listed, run and deleted', async () => {
    const id = await rig.upload('flights-1.js');
    expect(id).toMatch(/^[0-9a-f]{32}_flights-1\.js$/);
    expect(await rig.get('/jars')).toEqual({
      address: 'http://127.0.0.1:8081',
      files: [
        {
          id,
          name: 'flights-1.js',
          uploaded: expect.any(Number),
          size: 17,
          sha256: expect.stringMatching(new RegExp(`^${id.slice(0, 32)}`)),
        },
      ],
    });
    const request = { programArgsList: ['--a', '1'], parallelism: 3, flinkConfiguration: { 'pipeline.name': 'x' }, claimMode: 'CLAIM' };
    const { status, body } = await rig.ask('POST', `/jars/${id}/run?savepointPath=/s&parallelism=9`, request);
    expect(status).toBe(200);
    expect(rig.cluster.started[0]?.request).toEqual({
      programArgsList: ['--a', '1'],
      parallelism: 3,
      configuration: { 'pipeline.name': 'x' },
      savepointPath: '/s',
      claimMode: 'CLAIM',
    });
    expect(await rig.get(`/jobs/${(body as { jobid: string }).jobid}/status`)).toEqual({ status: 'RUNNING' });
    expect(await rig.ask('POST', `/jars/${id}/plan?programArg=--a,1`)).toMatchObject({
      status: 200,
      body: { plan: { type: 'STREAMING' } },
    });
    expect((await rig.ask('DELETE', `/jars/${id}`)).status).toBe(200);
    expect((await rig.ask('DELETE', `/jars/${id}`)).status).toBe(404);
    expect((await rig.ask('POST', `/jars/${id}/run`)).status).toBe(404);
  });

  it('run once per job id', async () => {
    const id = await rig.upload();
    for (let i = 0; i < 2; i++)
      expect((await rig.ask('POST', `/jars/${id}/run`, { jobId: 'e'.repeat(32) })).body).toEqual({ jobid: 'e'.repeat(32) });
    expect(rig.cluster.started).toHaveLength(1);
  });

  it.each([
    ['a name that leaves the directory', '..%2Fx.js', 'x', 400],
    ['no program', 'x.jar', 'x', 400],
    ['nothing', 'x.js', '', 400],
    ['another hash than announced', `x.js&sha256=${'0'.repeat(64)}`, 'x', 400],
    ['too much', 'x.js', 'x'.repeat(5000), 413],
  ])('are refused: %s', async (_what, name, content, status) => {
    expect((await rig.ask('POST', `/jars/upload?name=${name}`, content, { 'content-type': 'text/javascript' })).status).toBe(status);
    expect(await rig.get('/jars')).toMatchObject({ files: [] });
  });

  it('may come in a form, as curl -F sends it', async () => {
    const form = (...files: readonly [string, string][]): RequestInit => {
      const body = new FormData();
      for (const [name, text] of files) body.append('jarfile', new Blob([text]), name);
      return { method: 'POST', body };
    };
    const upload = async (init: RequestInit): Promise<Response> => await fetch(`${rig.server.url}/v1/jars/upload`, init);
    const sent = await upload(form(['job.mjs', 'export default 2;']));
    expect(await sent.json()).toMatchObject({ status: 'success', name: 'job.mjs', size: 17 });
    const type = 'multipart/form-data; boundary=x';
    for (const [init, status] of [
      [form(), 400],
      [form(['a.mjs', '1'], ['b.mjs', '2']), 400],
      [form(['../../evil.mjs', '1']), 400],
      [form(['evil.sh', '1']), 400],
      [form(['large.mjs', 'x'.repeat(17 << 20)]), 413],
      [{ method: 'POST', body: 'no form', headers: { 'content-type': type } }, 400],
      [
        {
          method: 'POST',
          body: '--x\r\nContent-Disposition: form-data; name="a"; filename="a.mjs"\r\n\r\n1',
          headers: { 'content-type': type },
        },
        400,
      ],
      [{ method: 'POST', body: '', headers: { 'content-type': 'multipart/form-data' } }, 400],
      [{ method: 'POST', body: 'x', headers: { 'content-type': 'text/javascript' } }, 400],
    ] as const) {
      const answer = await upload(init).catch((error: unknown) => error);
      // A refusal may come while the body is being sent.
      if (answer instanceof Response) expect(await answer.json()).toEqual({ errors: [expect.any(String)], code: expect.any(String) });
      if (status === 400) expect((answer as Response).status).toBe(400);
    }
    expect(await rig.get('/jars')).toMatchObject({ files: [{ name: 'job.mjs' }] });
  });

  it('may not be submitted where that is off', async () => {
    await rig.restart({ submit: false });
    for (const path of ['/jars/upload?name=x.js', '/jars/x/run', '/jars/x/plan']) {
      expect(await rig.ask('POST', path, '{}')).toMatchObject({
        status: 403,
        body: { errors: [expect.stringContaining('web.submit.enable')] },
      });
    }
    expect((await rig.ask('PATCH', `/jobs/${JOB_ID}`)).status).toBe(202);
  });

  it('may not be cancelled, stopped or rescaled where that is off', async () => {
    const requirements = await rig.get(`/jobs/${JOB_ID}/resource-requirements`);
    const refused = (option: string): object => ({ status: 403, body: { code: 'FORBIDDEN', errors: [expect.stringContaining(option)] } });
    await rig.restart({ cancel: false, rescale: false });
    expect(await rig.ask('PATCH', `/jobs/${JOB_ID}`)).toMatchObject(refused('web.cancel.enable'));
    expect(await rig.ask('POST', `/jobs/${JOB_ID}/stop`, {})).toMatchObject(refused('web.cancel.enable'));
    expect(await rig.ask('PUT', `/jobs/${JOB_ID}/resource-requirements`, requirements)).toMatchObject(refused('web.rescale.enable'));
    expect(await rig.get(`/jobs/${JOB_ID}/status`)).toEqual({ status: 'RUNNING' });
    expect((await rig.ask('POST', `/jobs/${JOB_ID}/savepoints`, {})).status).toBe(202);
  });

  it('are not waited for longer than web.timeout allows, and go on', async () => {
    const { cluster, gateway } = await memoryCluster(4096, { requestTimeoutMs: 50 });
    await rig.restart({ gateway });
    const id = await rig.upload();
    const work = Promise.withResolvers<never>();
    const never = (): Promise<never> => work.promise;
    Object.assign(cluster, { cancelJob: never, updateRequirements: never, planArtifact: never, runArtifact: never });
    const requirements = await rig.get(`/jobs/${JOB_ID}/resource-requirements`);
    const answers = [
      await rig.ask('PATCH', `/jobs/${JOB_ID}`),
      await rig.ask('PUT', `/jobs/${JOB_ID}/resource-requirements`, requirements),
      await rig.ask('POST', `/jars/${id}/plan`),
      await rig.ask('POST', `/jars/${id}/run`),
    ];
    expect(answers.map(({ status, body }) => [status, body])).toEqual(
      [`cancelling job '${JOB_ID}'`, `rescaling job '${JOB_ID}'`, `planning artifact '${id}'`, `starting artifact '${id}'`].map((what) => [
        504,
        { code: 'REQUEST_TIMEOUT', errors: [expect.stringMatching(`Cannot wait longer for ${what}: .* within 50 ms \\(web\\.timeout\\)`)] },
      ]),
    );
    // A failure that comes later is nobody's any more, and ends no process.
    work.reject(new Error('late'));
    expect(await rig.get('/jobs/overview')).toMatchObject({ jobs: [{ jid: JOB_ID }] });
  });

  it('that fail for an unknown reason tell the client nothing of the inside', async () => {
    const id = await rig.upload();
    const { status, body } = await rig.ask('POST', `/jars/${id}/run`, { programArgsList: ['--throw'] });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toMatch(/secret|\.ts:|node_modules/);
    expect(body).toEqual({ errors: [expect.stringContaining('request id')], code: 'INTERNAL' });
  });
});
