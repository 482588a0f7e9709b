import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Random } from 'millstream/connector';
import { seededRandom, systemClock } from 'millstream/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { openBucket, openCheckpointFiles } from './open-bucket.js';
import { S3ObjectStore } from './s3-object-store.js';
import { createS3Client, type S3Options } from './s3-options.js';

interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly body?: string;
}

let server: Server | undefined;
const requests: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];

/** A server that gives these answers one after another, and then the last one for ever. */
async function answering(...answers: readonly Answer[]): Promise<S3Options> {
  let next = 0;
  requests.length = 0;
  server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, headers });
    request.resume();
    request.on('end', () => {
      const answer = answers[Math.min(next++, answers.length - 1)] as Answer;
      response.writeHead(answer.status, { etag: '"tag"', 'content-type': 'application/xml' });
      response.end(
        answer.body ?? (answer.code === undefined ? '' : `<Error><Code>${answer.code}</Code><Message>Said so.</Message></Error>`),
      );
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { endpoint: `http://127.0.0.1:${port}`, accessKey: 'key', secretKey: 'secret-of-the-test' };
}

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

const random: Random = seededRandom(1);
/** Pauses take no time. */
const clock: Clock = { ...systemClock, schedule: (_, callback) => systemClock.schedule(0, callback) };

describe('S3ObjectStore', () => {
  it.each([
    [{ status: 404, code: 'NoSuchBucket' }, 'STORAGE_BUCKET_MISSING', 'execution.checkpointing.dir', false],
    [{ status: 403, code: 'AccessDenied' }, 'STORAGE_ACCESS_DENIED', 's3:PutObject', false],
    [{ status: 403, code: 'SignatureDoesNotMatch' }, 'STORAGE_ACCESS_DENIED', 's3.secret-key', false],
    [{ status: 400, code: 'ExpiredToken' }, 'STORAGE_ACCESS_DENIED', 'AWS_ACCESS_KEY_ID', false],
    [{ status: 400, code: 'AuthorizationHeaderMalformed' }, 'STORAGE_REQUEST_FAILED', 's3.region', false],
    [{ status: 400, code: 'InvalidRequest' }, 'STORAGE_REQUEST_FAILED', 'Said so. (InvalidRequest)', false],
    [{ status: 409, code: 'ConditionalRequestConflict' }, 'STORAGE_REQUEST_FAILED', '409', true],
    [{ status: 503, code: 'SlowDown' }, 'STORAGE_REQUEST_FAILED', 'later', true],
    [{ status: 500, code: 'InternalError' }, 'STORAGE_REQUEST_FAILED', '500', true],
  ] as const)('tells %j from other failures', async (answer, code, advice, retryable) => {
    const store = new S3ObjectStore(createS3Client(await answering(answer)), 'bucket');
    const condition = { type: 'tag', tag: '"a"' } as const;
    for (const failure of [() => store.put('job/file', Buffer.from('x'), condition), () => store.get('job/file')]) {
      const error = await failure().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code, retryable, message: expect.stringContaining(advice) });
      expect((error as Error).message).toContain("'s3://bucket/job/file'");
      expect(JSON.stringify([(error as Error).message, (error as { details?: unknown }).details])).not.toContain('secret-of-the-test');
    }
  });

  it('takes a condition that does not hold, and an object that is not there, for answers', async () => {
    const store = new S3ObjectStore(createS3Client(await answering({ status: 412, code: 'PreconditionFailed' })), 'bucket');
    expect(await store.put('k', Buffer.from('x'), { type: 'absent' })).toBeUndefined();
    expect(await store.put('k', Buffer.from('x'), { type: 'tag', tag: '"a"' })).toBeUndefined();
    expect(requests.map(({ headers }) => [headers['if-none-match'], headers['if-match']])).toEqual([
      ['*', undefined],
      [undefined, '"a"'],
    ]);
  });

  it('reads nothing where there is nothing', async () => {
    const store = new S3ObjectStore(createS3Client(await answering({ status: 404, code: 'NoSuchKey' })), 'bucket');
    expect([await store.get('k'), await store.sizeOf('k')]).toEqual([undefined, undefined]);
    await store.delete('k');
  });

  it('says that nobody answers, and tries again before', async () => {
    const options = await answering({ status: 200 });
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    let pauses = 0;
    const counting: Clock = {
      ...clock,
      schedule: (delayMs, callback) => {
        pauses++;
        return clock.schedule(delayMs, callback);
      },
    };
    const store = openBucket('bucket', { ...options, attempts: 3 }, counting, random);
    await expect(store.get('k')).rejects.toMatchObject({
      code: 'STORAGE_UNREACHABLE',
      retryable: true,
      message: expect.stringContaining('s3.endpoint'),
    });
    expect(pauses).toBe(2);
  });

  it('goes on when the store answers again', async () => {
    const options = await answering({ status: 503, code: 'SlowDown' }, { status: 500, code: 'InternalError' }, { status: 200 });
    expect(await openBucket('bucket', options, clock, random).put('k', Buffer.from('x'))).toBe('"tag"');
    expect(requests.map(({ method, url }) => `${method} ${url.split('?')[0]}`)).toEqual(Array(3).fill('PUT /bucket/k'));
  });

  it('gives up a request that gets no answer in time', async () => {
    const options = await answering({ status: 200 });
    server?.removeAllListeners('request');
    const store = new S3ObjectStore(createS3Client({ ...options, requestTimeoutMs: 100 }), 'bucket');
    await expect(store.get('k')).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
  });

  it.each([
    [{ endpoint: '127.0.0.1:9000' }, "s3.endpoint '127.0.0.1:9000'"],
    [{ accessKey: 'a' }, 's3.access-key without s3.secret-key'],
    [{ secretKey: 'a' }, 's3.secret-key without s3.access-key'],
    [{ partBytes: 1000 }, 's3.upload.part-size 1000'],
  ])('refuses the options %j', (options, message) => {
    const refused = { code: 'INVALID_OPTION', message: expect.stringContaining(message) };
    expect(() => openCheckpointFiles('bucket', options, clock, random)).toThrow(expect.objectContaining(refused));
  });
});
