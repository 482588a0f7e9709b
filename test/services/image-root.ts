/**
 * The image of local/images/native as a root folder, without a container engine: its Dockerfile is carried out line by line. What stands for
 * what: Debian's packages, unpacked by debootstrap, with the Node of this repository, for the base image; the packages that are installed here for
 * `npm ci`; chroot for the last stage's RUN.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Dockerfile, type Instruction, parseDockerfile, parseIgnore } from './dockerfile.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NODE = join(ROOT, 'node_modules/node/bin/node');
const BIN = join(ROOT, 'node_modules/.bin');
const run = promisify(execFile);
/** Bounds what hangs: a mirror that does not answer, say. */
const STEP_MS = 200_000;

export class ImageRoot {
  readonly dockerfile: Dockerfile;
  readonly directory: string;
  private readonly scratch: string;
  private readonly environment: Record<string, string> = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
  private workDirectory = '/';
  private user = '0:0';
  private entry: readonly string[] = [];
  private health: readonly string[] = [];

  private constructor(dockerfile: Dockerfile, scratch: string) {
    this.dockerfile = dockerfile;
    this.scratch = scratch;
    this.directory = join(scratch, 'root');
  }

  static async build(): Promise<ImageRoot> {
    const dockerfile = parseDockerfile(readFileSync(join(ROOT, 'local/images/native/Dockerfile'), 'utf8'));
    const image = new ImageRoot(dockerfile, mkdtempSync(join(tmpdir(), 'millstream-image-')));
    try {
      // The mirror's network and the compiler's work at the same time.
      await Promise.all([image.makeBase(), image.buildStage()]);
      await image.lastStage();
      return image;
    } catch (error) {
      image.remove();
      throw error;
    }
  }

  /** Where the file of the image is on this machine. */
  path(inside: string): string {
    return join(this.directory, inside);
  }

  /**
   * Starts the entry point as a container engine does: as the image's user, as the first process of its own, on a root that it cannot write
   * to, but for /tmp and the working directory.
   */
  start(words: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
    return this.inside([...this.entry, ...words], environment);
  }

  /** The exit code of the health check, in a process that has nothing in common with the one that is checked but the network. */
  async healthCheck(environment: Readonly<Record<string, string>>): Promise<number> {
    const child = this.inside(this.health, environment);
    return await new Promise((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  }

  remove(): void {
    rmSync(this.scratch, { recursive: true, force: true });
  }

  private inside(words: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
    const { directory, workDirectory } = this;
    const mounts = [
      `mount --bind ${directory} ${directory}`,
      `mount -t proc proc ${directory}/proc`,
      `mount --rbind /dev ${directory}/dev`,
      `mount -t tmpfs tmpfs ${directory}/tmp`,
      `mount --bind ${directory}${workDirectory} ${directory}${workDirectory}`,
      `mount -o remount,ro,bind ${directory}`,
    ];
    const change = `exec chroot --userspec=${this.user} ${directory} /bin/sh -c 'cd "$0" && exec "$@"' ${workDirectory} "$@"`;
    const script = [...mounts, change].join(' && ');
    return spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', ...words], {
      env: { ...this.environment, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  private async makeBase(): Promise<void> {
    const { base } = this.dockerfile.stages.at(-1) as { base: string };
    const [, version, suite] = /^node:([\d.]+)-(\w+)-slim$/.exec(base) ?? [];
    const own = (await run(NODE, ['--version'])).stdout.trim();
    if (suite === undefined || own !== `v${version}`)
      throw new Error(`The image is made from ${base}, and this repository has Node ${own}.`);
    // Its first half, which unpacks: the second one configures packages for minutes on a busy machine, and only these files are used of it.
    await run('debootstrap', ['--variant=minbase', '--foreign', suite, this.directory], { timeout: STEP_MS, maxBuffer: 1 << 24 });
    for (const name of ['passwd', 'group']) cpSync(this.path(`/usr/share/base-passwd/${name}.master`), this.path(`/etc/${name}`));
    rmSync(this.path('/proc'));
    mkdirSync(this.path('/proc'));
    cpSync(NODE, this.path('/usr/local/bin/node'));
    // Container engines write it.
    writeFileSync(this.path('/etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  }

  /** On this machine: it has the compiler and npm. Its WORKDIR is a directory of ours. */
  private async buildStage(): Promise<void> {
    const [stage] = this.dockerfile.stages;
    for (const step of stage?.instructions ?? []) {
      if (step.type === 'COPY') this.copyFromCheckout(step, this.stagePlace);
      else if (step.type === 'RUN' && step.command.startsWith('npm ci ')) await this.standInForInstall();
      else if (step.type === 'RUN') {
        const env = { ...process.env, PATH: `${BIN}:${process.env.PATH}` };
        await run('sh', ['-c', step.command], { cwd: this.stagePlace, env, timeout: STEP_MS, maxBuffer: 1 << 24 });
      } else if (step.type !== 'WORKDIR') throw new Error(`Unknown in the first stage: ${step.type}`);
    }
  }

  private get stagePlace(): string {
    return join(this.scratch, 'build');
  }

  /** What is installed here: links to Millstream's packages are relative, and lead to those of the stage. */
  private async standInForInstall(): Promise<void> {
    // As links where that is possible: nothing changes them.
    const command = 'cp -al "$0" "$1" 2>/dev/null || cp -a "$0" "$1"';
    await run('sh', ['-c', command, join(ROOT, 'node_modules'), this.stagePlace], { timeout: STEP_MS });
  }

  private async lastStage(): Promise<void> {
    for (const step of this.dockerfile.stages.at(-1)?.instructions ?? []) {
      switch (step.type) {
        case 'COPY':
          if (step.from === undefined) this.copyFromCheckout(step, this.directory);
          else this.copyFromStage(step);
          break;
        case 'RUN':
          await run('chroot', [this.directory, '/bin/sh', '-c', step.command], { env: this.environment, timeout: STEP_MS });
          break;
        case 'ENV':
          Object.assign(this.environment, step.values);
          break;
        case 'WORKDIR':
          this.workDirectory = step.value;
          break;
        case 'USER':
          this.user = step.value;
          break;
        case 'ENTRYPOINT':
          this.entry = step.words;
          break;
        case 'HEALTHCHECK':
          this.health = step.words;
          break;
        case 'CMD':
        case 'EXPOSE':
          break;
      }
    }
  }

  private copyFromCheckout({ sources, target, mode }: Instruction & { type: 'COPY' }, place: string): void {
    const isSent = parseIgnore(readFileSync(join(ROOT, '.dockerignore'), 'utf8'));
    for (const source of sources) {
      const into = target.endsWith('/') ? join(place, target, basename(source)) : join(place, target);
      mkdirSync(dirname(into), { recursive: true });
      if (!isSent(source)) throw new Error(`The Dockerfile copies '${source}', and .dockerignore keeps it away.`);
      cpSync(join(ROOT, source), into, { recursive: true, filter: (path) => isSent(path.slice(ROOT.length)) });
      if (mode !== undefined) chmodSync(into, mode);
    }
  }

  private copyFromStage({ from, sources, target }: Instruction & { type: 'COPY' }): void {
    const stage = this.dockerfile.stages.find(({ name }) => name === from);
    const workDirectory = stage?.instructions.flatMap((step) => (step.type === 'WORKDIR' ? [step.value] : []))[0] ?? '/';
    const [source = ''] = sources;
    cpSync(join(this.stagePlace, source.slice(workDirectory.length)), this.path(target), { recursive: true, verbatimSymlinks: true });
  }
}

/** The pid, on this machine, of the first process of a container. */
export function firstProcess(container: ChildProcess): number {
  const children = readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

/** Bytes of all files below a directory. */
export function bytesOf(directory: string): number {
  let sum = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) sum += statSync(join(entry.parentPath, entry.name)).size;
  }
  return sum;
}

/** Whether this process may make roots and namespaces. */
export function mayMakeRoots(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', '--pid', '--fork', 'true']);
    return true;
  } catch {
    return false;
  }
}
