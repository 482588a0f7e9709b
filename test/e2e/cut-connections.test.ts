/** Real processes whose data connections break while both ends live: the attempt fails, and the next one goes on from the last checkpoint. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCount } from '../jobs/running-counts.js';
import { ClusterHarness } from './cluster-harness.js';
import { expectCountsOnce } from './expect-counts.js';
import { readLines } from './run-job.js';

const RECORDS = 200_000;
const KEYS = 50;

/** Stands between a TaskManager's data port and the others, and can break what goes through it. */
class Wire {
  /** Where the TaskManager listens. */
  target = 0;
  readonly port: number;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.server = server;
    this.port = port;
    server.on('connection', (near) => this.join(near, connect(this.target, '127.0.0.1')));
  }

  static async open(): Promise<Wire> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return new Wire(server, typeof address === 'object' && address !== null ? address.port : 0);
  }

  private join(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          this.sockets.delete(socket);
          other.destroy();
        });
      socket.pipe(other);
    }
  }

  get connections(): number {
    return this.sockets.size / 2;
  }

  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}

let cluster: ClusterHarness;
let wires: Wire[];
beforeEach(async () => {
  cluster = new ClusterHarness();
  wires = await Promise.all([Wire.open(), Wire.open()]);
});
afterEach(async () => {
  await cluster.stop();
  for (const wire of wires) wire.close();
});

function results(): string {
  return join(cluster.directory, 'results');
}

/** A cluster of two TaskManagers whose records go through `wires`. */
async function start(): Promise<string[]> {
  await cluster.start(0);
  const ids: string[] = [];
  for (const wire of wires) {
    const options = { 'taskmanager.data.port': wire.port, 'taskmanager.data.bind-port': 0, 'taskmanager.resource-id': `tm-${ids.length}` };
    const process = await cluster.addTaskManager(options);
    const { id, bind } = await process.logged('TaskManager started');
    wire.target = Number(String(bind).split(':').at(-1));
    ids.push(String(id));
  }
  return ids;
}

describe('a job whose connections are cut', () => {
  it('fails the attempt with both names, and its next attempt gives the right results', async () => {
    const ids = await start();
    const job = await cluster.run(
      'running-counts',
      {
        'parallelism.default': 2,
        'execution.checkpointing.interval': '100 ms',
        'execution.checkpointing.dir': join(cluster.directory, 'checkpoints'),
        'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.attempts': 5,
        'restart-strategy.fixed-delay.delay': '50 ms',
      },
      ...['--', '--records', `${RECORDS}`, '--keys', `${KEYS}`, '--results', results()],
      ...['--until', join(cluster.directory, 'until'), '--free', `${RECORDS / 8}`],
    );
    await cluster.completedCheckpoints(job, 2);
    for (const wire of wires) {
      expect(wire.connections).toBeGreaterThan(0);
      const before = (await cluster.client.checkpoints(job)).counts.completed;
      wire.cut();
      await cluster.completedCheckpoints(job, before + 2);
    }
    writeFileSync(join(cluster.directory, 'until'), '');
    expect(await cluster.ended(job)).toBe('FINISHED');
    const { exceptionHistory } = await cluster.client.jobExceptions(job);
    const told = exceptionHistory.entries.map(({ stacktrace }) => stacktrace).filter((text) => text.includes('Cannot exchange records'));
    expect(told).toHaveLength(2);
    for (const text of told) for (const id of ids) expect(text).toContain(`'${id}'`);
    expectCountsOnce(readLines<RunningCount>(join(results(), 'running')), { records: RECORDS, keys: KEYS });
  });
});
