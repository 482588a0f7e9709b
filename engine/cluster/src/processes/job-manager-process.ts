/** A JobManager as a process: sockets, REST and files around the logic of millstream/cluster. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  ArtifactStore,
  type ArtifactStoreOptions,
  type Configuration,
  type Connection,
  type ConnectionListener,
  configurationRows,
  createProgramTrial,
  entropySeed,
  type HighAvailabilityStorage,
  JobManager,
  JobManagerModel,
  jobOptions,
  type Leadership,
  ModelGateway,
  nodeDisk,
  ProgramModules,
  type ResolvedOptions,
  type SubmittedJobs,
  seededRandom,
  systemClock,
} from 'millstream/cluster';
import { ENGINE_VERSION } from '../engine-version.js';
import { startRestServer } from '../rest/rest-server.js';
import { Cleanup } from './cleanup.js';
import { openClusterNetwork } from './cluster-network.js';
import { startHealthServer } from './health-server.js';
import { createLeadership, openFileSystems, openHighAvailability } from './leadership.js';
import { naming } from './listen-options.js';
import type { Logger } from './process-log.js';
import { publishedHost, publishedPort } from './published-address.js';
import { schedulerSettings } from './scheduler-settings.js';
import { temporaryDirectory } from './temporary-directory.js';
import { restTls, restTokens } from './tls-options.js';
import { workingDirectory } from './working-directory.js';

/** What a message has beside the program that is in it. */
const ENVELOPE_BYTES = 4096;

export interface RunningJobManager {
  /** Where TaskManagers connect to. */
  readonly address: { readonly host: string; readonly port: number };
  /** Where REST is. */
  readonly restUrl: string;
  /** Resolves when somebody has asked for the end through REST. */
  readonly shutDownAsked: Promise<void>;
  /** Ends the jobs with a last checkpoint, and the process's sockets. */
  stop(): Promise<void>;
}

/** Starts to listen; leads at once, or takes part in the election. What has been opened is closed if anything of it fails. */
export async function startJobManager(configuration: Configuration, log: Logger): Promise<RunningJobManager> {
  return await Cleanup.guard(async (cleanup) => await start(configuration, log, cleanup));
}

async function start(configuration: Configuration, log: Logger, cleanup: Cleanup): Promise<RunningJobManager> {
  const { options } = configuration;
  const network = await openClusterNetwork(options, { role: 'jobmanager', name: `jobmanager-${process.pid}` }, (error, remote) =>
    log.warn({ code: error.code, remote }, error.message),
  );
  const tls = await restTls(options);
  const storage = await openHighAvailability(options);
  const directory = await temporaryDirectory(options, 'jobmanager');
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const leadership = new ProcessLeadership(configuration, new ProgramModules(join(directory, 'programs')), storage, log);
  const [bindHost, bindPort, rpcPort] = [
    options['jobmanager.bind-host'],
    options['jobmanager.rpc.bind-port'],
    options['jobmanager.rpc.port'],
  ];
  const listener = await network
    .listen({ host: bindHost, port: bindPort ?? rpcPort }, (connection) => leadership.leading?.accept(connection) ?? refuse(connection))
    .catch(naming(bindPort === undefined ? 'jobmanager.rpc.port' : 'jobmanager.rpc.bind-port', 'jobmanager.bind-host'));
  cleanup.add(() => listener.close());
  const asked = Promise.withResolvers<void>();
  const uploads = await uploadDirectory(options, bindPort ?? rpcPort, directory);
  const gateway = await createGateway(configuration, uploads, leadership, tls !== undefined, async () => asked.resolve());
  const origin = options['web.access-control-allow-origin'];
  const rest = await startRestServer({
    gateway,
    host: options['rest.bind-address'],
    port: options['rest.bind-port'] ?? options['rest.port'],
    tokens: await restTokens(options),
    ...(tls !== undefined && { tls }),
    ...(origin !== undefined && { allowOrigin: origin }),
    // On this machine alone, or for who has shown a token: the server itself holds to that.
    submit: options['web.submit.enable'] ?? true,
    cancel: options['web.cancel.enable'],
    rescale: options['web.rescale.enable'],
    limits: { idleTimeoutMs: options['rest.idleness-timeout'] },
    version: ENGINE_VERSION,
    logger: log,
  });
  cleanup.add(() => rest.close());
  const healthPort = options['process.health.port'];
  const health = healthPort === undefined ? undefined : await startHealthServer(healthPort, () => leadership.leading !== undefined);
  if (health !== undefined) cleanup.add(() => health.close());
  const { address } = listener;
  const host = publishedHost(options['jobmanager.rpc.address'], bindHost);
  leadership.start({ control: `${host}:${publishedPort(rpcPort, bindPort, address.port)}`, rest: rest.url });
  cleanup.add(() => leadership.stop());
  log.info({ rpc: `${address.host}:${address.port}`, rest: rest.url, health: health?.port }, 'JobManager started');
  return {
    address,
    restUrl: rest.url,
    shutDownAsked: asked.promise,
    stop: async () => {
      await cleanup.run();
      log.info('JobManager stopped');
    },
  };
}

/** Whether this process leads, and the JobManager while it does: for ever, or as the election says. */
class ProcessLeadership {
  private readonly configuration: Configuration;
  private readonly modules: ProgramModules;
  private readonly storage: HighAvailabilityStorage | undefined;
  private readonly log: Logger;
  private alone: JobManager | undefined;
  private elected: Leadership | undefined;

  constructor(configuration: Configuration, modules: ProgramModules, storage: HighAvailabilityStorage | undefined, log: Logger) {
    this.configuration = configuration;
    this.modules = modules;
    this.storage = storage;
    this.log = log;
  }

  get leading(): JobManager | undefined {
    return this.alone ?? this.elected?.jobManager;
  }

  start(address: { readonly control: string; readonly rest: string }): void {
    const { storage, configuration, log } = this;
    if (storage === undefined) {
      this.alone = this.createJobManager(1, undefined);
      log.info({ term: 1 }, 'leading');
      return;
    }
    this.elected = createLeadership(storage, configuration.options, address, log, (term, submitted) =>
      this.createJobManager(term, submitted),
    );
    this.elected.start();
  }

  /** With high availability jobs go on under the next leader, which need not wait for the lease to lapse; else they end. */
  async stop(): Promise<void> {
    await this.elected?.stop();
    await this.alone?.stop();
  }

  private createJobManager(term: number, submitted: SubmittedJobs | undefined): JobManager {
    return createJobManager(this.configuration, { term, modules: this.modules, submitted }, this.log);
  }
}

/** For this process alone: it has listened to its port. One that listens to any port is never known again. */
async function uploadDirectory(options: ResolvedOptions, port: number, temporary: string): Promise<string> {
  const working = await workingDirectory(options, 'jobmanager', temporary);
  return resolve(options['web.upload.dir'] ?? join(port === 0 ? temporary : join(working, `jobmanager-${port}`), 'artifacts'));
}

async function createGateway(
  configuration: Configuration,
  uploads: string,
  leadership: ProcessLeadership,
  isTls: boolean,
  shutDown: () => Promise<void>,
): Promise<ModelGateway> {
  const { options } = configuration;
  const restHost = options['rest.address'] ?? publishedHost(options['jobmanager.rpc.address'], options['rest.bind-address']);
  return new ModelGateway({
    model: new JobManagerModel({
      jobManager: () => leadership.leading,
      version: ENGINE_VERSION,
      address: `${isTls ? 'https' : 'http'}://${restHost}:${options['rest.port']}`,
      configuration: configurationRows(configuration).flatMap(({ key, text }) => (text === undefined ? [] : [{ key, value: text }])),
      clock: systemClock,
      disk: nodeDisk,
      shutDown,
    }),
    artifacts: await ArtifactStore.open({
      disk: nodeDisk,
      clock: systemClock,
      directory: uploads,
      ...uploadLimit(options),
    }),
    operationKeepMs: options['rest.async.store-duration'],
    requestTimeoutMs: options['web.timeout'],
    clock: systemClock,
    random: seededRandom(entropySeed()),
    features: {
      submit: options['web.submit.enable'] ?? true,
      cancel: options['web.cancel.enable'],
      rescale: options['web.rescale.enable'],
    },
  });
}

/** A program goes to TaskManagers in one message: what does not fit into it is refused here, where its user hears of it. */
function uploadLimit(options: ResolvedOptions): Pick<ArtifactStoreOptions, 'uploadBytesMax' | 'limitOption'> {
  const messageBytesMax = options['cluster.rpc.message-size-max'] - ENVELOPE_BYTES;
  const uploadBytesMax = options['rest.server.max-content-length'];
  if (messageBytesMax >= uploadBytesMax) return { uploadBytesMax, limitOption: 'rest.server.max-content-length' };
  return { uploadBytesMax: messageBytesMax, limitOption: 'cluster.rpc.message-size-max' };
}

function refuse(connection: Connection): ConnectionListener {
  connection.close();
  return { onMessage: () => undefined, onDrain: () => undefined, onClose: () => undefined };
}

function createJobManager(
  configuration: Configuration,
  { term, modules, submitted }: { readonly term: number; readonly modules: ProgramModules; readonly submitted: SubmittedJobs | undefined },
  log: Logger,
): JobManager {
  const { options } = configuration;
  return new JobManager({
    clock: systemClock,
    disk: nodeDisk,
    modules,
    term,
    submitted,
    files: openFileSystems(options),
    jobDefaults: jobOptions(configuration),
    histories: { checkpoints: options['web.checkpoints.history'], exceptions: options['web.exception-history-size'] },
    endedJobs: { max: options['jobstore.max-capacity'], keepMs: options['jobstore.expiration-time'] },
    trial: createProgramTrial({ timeoutMs: options['jobmanager.program.timeout'], memoryBytes: options['jobmanager.program.memory'] }),
    heartbeatIntervalMs: options['heartbeat.interval'],
    heartbeatTimeoutMs: options['heartbeat.timeout'],
    scheduler: schedulerSettings(configuration),
    slotIdleTimeoutMs: options['slot.idle.timeout'],
    spread: options['taskmanager.load-balance.mode'] === 'SLOTS' ? 'spread' : 'fill',
    observer: {
      taskManagerRegistered: ({ id, slots, host }) => log.info({ id, slots, host }, 'TaskManager registered'),
      taskManagerLost: ({ id, host }, reason) => log.warn({ id, host }, `TaskManager lost: ${reason}`),
      jobSubmitted: ({ id, name }) => log.info({ job: id, name }, 'job submitted'),
      jobEnded: ({ id, name, facts }) => log.info({ job: id, name, state: facts.state }, 'job ended'),
      recoveryFailed: (job, error) => log.error({ job, code: error.code }, error.message),
      refused: (remote, error) => log.warn({ code: error.code, remote }, error.message),
    },
  });
}
