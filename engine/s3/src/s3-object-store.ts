/**
 * A bucket as an `ObjectStore`: one request of the S3 API per operation, once. Trying again is RetryingObjectStore's.
 *
 * Requests carry a CRC-32 that the store verifies, answers are verified where the store sends one (the SDK's default). A condition that
 * does not hold is an answer (412; 404 where the object to be replaced is gone), not an error.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { ObjectStore, PutCondition, StoredObject, UnfinishedUpload, UploadedPart } from 'millstream/connector';
import { s3Error, s3Failure } from './s3-errors.js';

/** See the head of this file. */
export class S3ObjectStore implements ObjectStore {
  readonly root: string;
  private readonly client: S3Client;
  private readonly bucket: string;

  constructor(client: S3Client, bucket: string) {
    this.client = client;
    this.bucket = bucket;
    this.root = `s3://${bucket}`;
  }

  async put(key: string, content: Uint8Array, condition?: PutCondition): Promise<string | undefined> {
    const conditions = condition === undefined ? {} : condition.type === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.tag };
    return await this.attempt(
      `write '${this.root}/${key}'`,
      async () => {
        const answer = await this.client.send(new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: content, ...conditions }));
        return answer.ETag ?? '';
      },
      (code, status) => condition !== undefined && (status === 412 || code === 'NoSuchKey'),
    );
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return await this.attempt(
      `read '${this.root}/${key}'`,
      async () => {
        const answer = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
        return { content: (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0), tag: answer.ETag ?? '' };
      },
      (code) => code === 'NoSuchKey',
    );
  }

  async sizeOf(key: string): Promise<number | undefined> {
    return await this.attempt(
      `read '${this.root}/${key}'`,
      async () => (await this.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key }))).ContentLength ?? 0,
      // Without a body the answer does not say whether it is the key or the bucket that is missing.
      (_, status) => status === 404,
    );
  }

  async delete(key: string): Promise<void> {
    await this.attempt(
      `remove '${this.root}/${key}'`,
      () => this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key })),
      (code) => code === 'NoSuchKey',
    );
  }

  async list(prefix: string, limit: number = Number.POSITIVE_INFINITY): Promise<string[]> {
    const names = new Set<string>();
    let token: string | undefined;
    do {
      const page = new ListObjectsV2Command({
        Bucket: this.bucket,
        Prefix: prefix,
        Delimiter: '/',
        ...(token !== undefined && { ContinuationToken: token }),
        ...(limit < 1000 && { MaxKeys: limit }),
      });
      const answer = await this.attempt(`list '${this.root}/${prefix}'`, () => this.client.send(page), never);
      for (const { Key = '' } of answer?.Contents ?? []) if (Key !== prefix) names.add(Key.slice(prefix.length));
      for (const { Prefix = '' } of answer?.CommonPrefixes ?? []) names.add(Prefix.slice(prefix.length, -1));
      token = answer?.IsTruncated === true ? answer.NextContinuationToken : undefined;
    } while (token !== undefined && names.size < limit);
    return [...names].sort().slice(0, limit);
  }

  async startUpload(key: string): Promise<string> {
    const command = new CreateMultipartUploadCommand({ Bucket: this.bucket, Key: key, ChecksumAlgorithm: 'CRC32' });
    const answer = await this.attempt(`write '${this.root}/${key}'`, () => this.client.send(command), never);
    return answer?.UploadId ?? '';
  }

  async uploadPart(key: string, upload: string, number: number, content: Uint8Array): Promise<UploadedPart> {
    const answer = await this.attempt(
      `write part ${number} of '${this.root}/${key}'`,
      () =>
        this.client.send(
          new UploadPartCommand({
            Bucket: this.bucket,
            Key: key,
            UploadId: upload,
            PartNumber: number,
            Body: content,
            ChecksumAlgorithm: 'CRC32',
          }),
        ),
      never,
    );
    return { number, tag: answer?.ETag ?? '', checksum: answer?.ChecksumCRC32 };
  }

  async completeUpload(key: string, upload: string, parts: readonly UploadedPart[]): Promise<void> {
    const Parts = parts.map(({ number, tag, checksum }) => ({ PartNumber: number, ETag: tag, ChecksumCRC32: checksum }));
    const command = new CompleteMultipartUploadCommand({ Bucket: this.bucket, Key: key, UploadId: upload, MultipartUpload: { Parts } });
    await this.attempt(`write '${this.root}/${key}'`, () => this.client.send(command), never);
  }

  async abortUpload(key: string, upload: string): Promise<void> {
    await this.attempt(
      `give up the upload of '${this.root}/${key}'`,
      () => this.client.send(new AbortMultipartUploadCommand({ Bucket: this.bucket, Key: key, UploadId: upload })),
      (code) => code === 'NoSuchUpload',
    );
  }

  async unfinishedUploads(prefix: string): Promise<UnfinishedUpload[]> {
    const found: UnfinishedUpload[] = [];
    let marker: UploadMarker = {};
    for (;;) {
      const page = new ListMultipartUploadsCommand({ Bucket: this.bucket, Prefix: prefix, ...marker });
      const answer = await this.attempt(`list the uploads to '${this.root}/${prefix}'`, () => this.client.send(page), never);
      for (const { Key = '', UploadId = '' } of answer?.Uploads ?? []) found.push({ key: Key, upload: UploadId });
      if (answer?.IsTruncated !== true) return found;
      marker = { KeyMarker: answer.NextKeyMarker, UploadIdMarker: answer.NextUploadIdMarker };
    }
  }

  /** Undefined where `isMissing` takes the failure for an answer. */
  private async attempt<T>(
    what: string,
    request: () => Promise<T>,
    isMissing: (code: string, status: number | undefined) => boolean,
  ): Promise<T | undefined> {
    try {
      return await request();
    } catch (error) {
      const { code, status } = s3Failure(error);
      if (isMissing(code, status)) return undefined;
      throw s3Error(what, this.bucket, error);
    }
  }
}

/** Where a page of uploads goes on. */
interface UploadMarker {
  readonly KeyMarker?: string | undefined;
  readonly UploadIdMarker?: string | undefined;
}

const never = (): boolean => false;
