/** Programs: uploaded, listed, planned, run, deleted. Flink's paths for jars. */
import { Readable } from 'node:stream';
import { MillstreamError } from 'millstream';
import { type ArtifactPlanRequest, type ArtifactRunRequest, VERSION_HEADER } from 'millstream/cluster';
import { type Static, Type } from 'typebox';
import { checkAllowed } from '../allowed.js';
import { readFormProgram } from '../multipart-program.js';
import { ADMIN, READ, type RoutePlugin, SUBMIT } from '../route-plugin.js';
import { commaSeparated, empty, triggerId as hexadecimal32, identifier, pathText } from '../schemas/common.js';
import { planBody } from '../schemas/jobs.js';
import { artifacts, upload } from '../schemas/operations.js';
import { record, shape, text, words } from '../schemas/shape.js';

const tags = ['artifacts'];
const params = Type.Object({ jarid: identifier });
const parallelism = Type.Optional(Type.Integer({ minimum: 1, maximum: 32768 }));
const argument = Type.String({ maxLength: 65_536 });
const path = Type.Optional(pathText);
const planFields = {
  programArgsList: Type.Optional(Type.Array(argument, { maxItems: 10_000 })),
  parallelism,
  flinkConfiguration: Type.Optional(record(text)),
};
const planRequest = Type.Object(planFields, { additionalProperties: false });
const runRequest = Type.Object(
  {
    ...planFields,
    jobId: Type.Optional(hexadecimal32),
    savepointPath: path,
    allowNonRestoredState: Type.Optional(Type.Boolean()),
    claimMode: Type.Optional(words(['CLAIM', 'NO_CLAIM'])),
  },
  { additionalProperties: false },
);
const planQuery = Type.Object({ programArg: Type.Optional(argument), parallelism });
const runQuery = Type.Object({
  programArg: Type.Optional(argument),
  parallelism,
  savepointPath: path,
  allowNonRestoredState: Type.Optional(Type.Boolean()),
});
const uploadQuery = Type.Object({
  name: Type.Optional(
    Type.String({ minLength: 1, maxLength: 256, description: 'a file name that ends in .js or .mjs; a form has its own' }),
  ),
  sha256: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{64}$', description: 'refused if the content has another hash' })),
});
const runBody = shape<{ readonly jobid: string }>({ jobid: text });

/** Bodies of these types are programs, and not held in memory. */
const PROGRAM_TYPES = ['application/javascript', 'text/javascript', 'application/octet-stream'];
const FORM_TYPE = 'multipart/form-data';
/** Forms are held in memory, and so many at once. */
const FORM_BYTES_MAX = 16 << 20;
const FORMS_AT_ONCE_MAX = 4;

function planRequestOf(query: Static<typeof planQuery>, body: Static<typeof planRequest>): ArtifactPlanRequest {
  const programArgsList = body.programArgsList ?? commaSeparated(query.programArg);
  const subtasks = body.parallelism ?? query.parallelism;
  return {
    ...(programArgsList !== undefined && { programArgsList }),
    ...(subtasks !== undefined && { parallelism: subtasks }),
    ...(body.flinkConfiguration !== undefined && { configuration: body.flinkConfiguration }),
  };
}

function runRequestOf(query: Static<typeof runQuery>, body: Static<typeof runRequest>): ArtifactRunRequest {
  const savepointPath = body.savepointPath ?? query.savepointPath;
  const allowNonRestoredState = body.allowNonRestoredState ?? query.allowNonRestoredState;
  return {
    ...planRequestOf(query, body),
    ...(body.jobId !== undefined && { jobId: body.jobId }),
    ...(savepointPath !== undefined && { savepointPath }),
    ...(allowNonRestoredState !== undefined && { allowNonRestoredState }),
    ...(body.claimMode !== undefined && { claimMode: body.claimMode }),
  };
}

/** The chunks of an upload. It stays readable after a refusal, so that the answer can be sent. Throws INVALID_REQUEST. */
async function* received(body: unknown, name: string): AsyncGenerator<Uint8Array> {
  if (!(body instanceof Readable)) {
    throw new MillstreamError('INVALID_REQUEST', `Cannot upload '${name}': there is no content. Send it as ${PROGRAM_TYPES[0]}.`);
  }
  try {
    yield* body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new MillstreamError('INVALID_REQUEST', `Cannot upload '${name}': the connection broke before its end. Upload it again.`, {
      cause,
    });
  }
}

export const artifactRoutes: RoutePlugin = async (app, options) => {
  const { gateway } = options;
  app.get(
    '/jars',
    { config: READ, schema: { tags, summary: 'All artifacts', response: { 200: artifacts } } },
    async () => await gateway.artifacts(),
  );
  app.delete(
    '/jars/:jarid',
    { config: ADMIN, schema: { tags, summary: 'Deletes an artifact', params, response: { 200: empty } } },
    async (request) => {
      await gateway.deleteArtifact(request.params.jarid);
      return {};
    },
  );
  await app.register(submissionRoutes, options);
};

/** A program is made for the version that its client has. A client that says none is none of ours: a browser, say. */
function checkVersion(client: unknown, own: string): void {
  if (client === undefined || client === own) return;
  throw new MillstreamError(
    'PROTOCOL_MISMATCH',
    `Cannot take a program from a client of version ${JSON.stringify(String(client).slice(0, 40))}: this cluster is Millstream ${own}. Install that version (npm install @millstream/cli@${own} millstream@${own}), and submit again.`,
    { details: { client, cluster: own } },
  );
}

/** What brings code into the cluster: refused unless submission is allowed. */
const submissionRoutes: RoutePlugin = async (app, { gateway, submit, version }) => {
  app.addHook('onRequest', async (request) => {
    checkVersion(request.headers[VERSION_HEADER], version);
    checkAllowed(submit, 'submit programs to this cluster', 'web.submit.enable');
  });
  app.post(
    '/jars/:jarid/plan',
    {
      config: SUBMIT,
      schema: {
        tags,
        summary: 'The graph that a job would have',
        params,
        querystring: planQuery,
        body: planRequest,
        response: { 200: planBody },
      },
    },
    async (request) => ({ plan: await gateway.planArtifact(request.params.jarid, planRequestOf(request.query, request.body)) }),
  );
  app.post(
    '/jars/:jarid/run',
    {
      config: SUBMIT,
      schema: { tags, summary: 'Starts a job', params, querystring: runQuery, body: runRequest, response: { 200: runBody } },
    },
    async (request) => ({ jobid: await gateway.runArtifact(request.params.jarid, runRequestOf(request.query, request.body)) }),
  );
  await app.register(async (uploads: typeof app) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser([...PROGRAM_TYPES, FORM_TYPE], (_request, payload, done) => done(null, payload));
    let forms = 0;
    const program = async (
      request: { body: unknown; headers: { readonly 'content-type'?: string | undefined } },
      name: string | undefined,
    ) => {
      const contentType = request.headers['content-type'] ?? '';
      if (!contentType.toLowerCase().startsWith(FORM_TYPE) || !(request.body instanceof Readable)) {
        if (name !== undefined) return { name, content: received(request.body, name) };
        throw new MillstreamError(
          'INVALID_REQUEST',
          "Cannot upload a program without its name: add '?name=program.mjs' to the path, or send a form.",
        );
      }
      if (forms >= FORMS_AT_ONCE_MAX) {
        throw new MillstreamError('CLUSTER_UNAVAILABLE', `Cannot read another form now: ${forms} are being read. Try again.`, {
          retryable: true,
        });
      }
      forms++;
      try {
        return await readFormProgram(request.body, contentType, FORM_BYTES_MAX);
      } finally {
        forms--;
      }
    };
    uploads.post(
      '/jars/upload',
      {
        config: SUBMIT,
        schema: {
          tags,
          summary: 'Uploads an artifact',
          consumes: [...PROGRAM_TYPES, FORM_TYPE],
          querystring: uploadQuery,
          response: { 200: upload },
        },
      },
      async (request, reply) => {
        // A refused upload is still being sent: the connection cannot be used again.
        reply.header('connection', 'close');
        const { name, sha256 } = request.query;
        const artifact = await gateway.uploadArtifact({ ...(await program(request, name)), ...(sha256 !== undefined && { sha256 }) });
        return { ...artifact, filename: artifact.id, status: 'success' } as const;
      },
    );
  });
};
