/** A REST server over a cluster in memory, and how tests ask it. */
import { expect } from 'vitest';
import { type MemoryCluster, memoryCluster } from './memory-cluster.test.support.js';
import type { RestServerOptions } from './rest-options.js';
import { type RestServer, startRestServer } from './rest-server.js';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

export class RestRig {
  readonly cluster: MemoryCluster;
  readonly options: RestServerOptions;
  server: RestServer;

  private constructor(cluster: MemoryCluster, options: RestServerOptions, server: RestServer) {
    this.cluster = cluster;
    this.options = options;
    this.server = server;
  }

  static async start(): Promise<RestRig> {
    const { cluster, gateway } = await memoryCluster();
    const options: RestServerOptions = { gateway, port: 0, submit: true, version: '0.1.0' };
    return new RestRig(cluster, options, await startRestServer(options));
  }

  async restart(changes: Partial<RestServerOptions>): Promise<void> {
    await this.server.close();
    this.server = await startRestServer({ ...this.options, ...changes });
  }

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.server.url + path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers };
  }

  /** The body of an answer that must be a success. */
  async get(path: string): Promise<unknown> {
    const { status, body } = await this.ask('GET', path);
    expect(status, JSON.stringify(body)).toBe(200);
    return body;
  }

  /** Uploads a program; returns its id. */
  async upload(name = 'job.js', content = 'export default 1;'): Promise<string> {
    const { body } = await this.ask('POST', `/jars/upload?name=${name}`, content, { 'content-type': 'application/javascript' });
    return (body as { id: string }).id;
  }
}
