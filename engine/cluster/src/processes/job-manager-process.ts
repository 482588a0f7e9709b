/** A JobManager as a process: sockets, REST and files around the logic of millstream/cluster. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ArtifactStore,
  type Configuration,
  type Connection,
  type ConnectionListener,
  configurationRows,
  entropySeed,
  JobManager,
  JobManagerModel,
  jobOptions,
  ModelGateway,
  nodeDisk,
  ProgramModules,
  type ResolvedOptions,
  type SubmittedJobs,
  seededRandom,
  systemClock,
} from 'millstream/cluster';
import { ENGINE_VERSION } from '../engine-version.js';
import type { AccessToken } from '../rest/access.js';
import { startRestServer } from '../rest/rest-server.js';
import { openClusterNetwork } from './cluster-network.js';
import { openFileSystems, openHighAvailability, startElection, submittedJobs } from './leadership.js';
import type { Logger } from './process-log.js';

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

export async function startJobManager(configuration: Configuration, log: Logger): Promise<RunningJobManager> {
  const { options } = configuration;
  const network = await openClusterNetwork(options, { role: 'jobmanager', name: `jobmanager-${process.pid}` }, (error, remote) =>
    log.warn({ code: error.code, remote }, error.message),
  );
  const directory = await mkdtemp(join(options['io.tmp.dirs'] ?? tmpdir(), 'millstream-jobmanager-'));
  const modules = new ProgramModules(join(directory, 'programs'));
  const storage = await openHighAvailability(options);
  let leading: JobManager | undefined;
  let leaderRest: string | undefined;
  const listener = await network.listen(
    { host: options['jobmanager.bind-host'], port: options['jobmanager.rpc.bind-port'] ?? options['jobmanager.rpc.port'] },
    (connection) => leading?.accept(connection) ?? refuse(connection),
  );
  const { address } = listener;
  const lead = async (term: number): Promise<void> => {
    const jobManager = createJobManager(
      configuration,
      { term, modules, submitted: storage === undefined ? undefined : submittedJobs(storage) },
      log,
    );
    leading = jobManager;
    log.info({ term }, 'leading');
    await jobManager.recover().catch((error: unknown) => log.error({ err: error }, 'cannot read the jobs of the former leader'));
  };
  const asked = Promise.withResolvers<void>();
  const rows = configurationRows(configuration);
  const restHost = options['rest.bind-address'];
  const port = options['rest.bind-port'] ?? options['rest.port'];
  const gateway = new ModelGateway({
    model: new JobManagerModel({
      jobManager: () => leading,
      leaderAddress: () => leaderRest,
      version: ENGINE_VERSION,
      address: `http://${options['rest.address'] ?? restHost}:${options['rest.port']}`,
      configuration: rows.flatMap(({ key, text }) => (text === undefined ? [] : [{ key, value: text }])),
      clock: systemClock,
      disk: nodeDisk,
      shutDown: async () => asked.resolve(),
    }),
    artifacts: await ArtifactStore.open({ disk: nodeDisk, clock: systemClock, directory: join(directory, 'artifacts') }),
    clock: systemClock,
    random: seededRandom(entropySeed()),
    features: { submit: options['web.submit.enable'] ?? true, cancel: true, rescale: true },
  });
  const rest = await startRestServer({
    gateway,
    host: restHost,
    port,
    tokens: restTokens(options),
    // On this machine alone, or for who has shown a token: the server itself holds to that.
    submit: options['web.submit.enable'] ?? true,
    version: ENGINE_VERSION,
    logger: log,
  });
  leaderRest = rest.url;
  const host = options['jobmanager.rpc.address'] ?? options['jobmanager.bind-host'];
  const election =
    storage === undefined
      ? undefined
      : startElection(
          storage,
          options,
          { control: `${host}:${address.port}`, rest: rest.url },
          {
            granted: (term) => void lead(term),
            revoked: (term) => {
              const former = leading;
              leading = undefined;
              log.warn({ term }, 'leading no more');
              void former?.abandon();
            },
            failed: (error) => log.warn({ err: error }, 'the storage of high availability does not answer'),
          },
        );
  if (election === undefined) await lead(1);
  log.info({ rpc: `${address.host}:${address.port}`, rest: rest.url }, 'JobManager started');
  return {
    address,
    restUrl: rest.url,
    shutDownAsked: asked.promise,
    stop: async () => {
      const former = leading;
      // With high availability jobs go on under the next leader.
      if (election !== undefined) await election.stop();
      else await former?.stop();
      await rest.close();
      await listener.close();
      await rm(directory, { recursive: true, force: true });
      log.info('JobManager stopped');
    },
  };
}

function restTokens(options: ResolvedOptions): AccessToken[] {
  const tokens = [
    { token: options['security.rest.token.read'], role: 'read' },
    { token: options['security.rest.token.submit'], role: 'submit' },
    { token: options['security.rest.token.admin'], role: 'admin' },
  ] as const;
  return tokens.flatMap(({ token, role }) => (token === undefined ? [] : [{ token, role }]));
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
    heartbeatIntervalMs: options['heartbeat.interval'],
    heartbeatTimeoutMs: options['heartbeat.timeout'],
    slotRequestTimeoutMs: options['slot.request.timeout'],
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
