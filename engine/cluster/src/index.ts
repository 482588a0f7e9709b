/** `@millstream/cluster`: the processes of a cluster, and what they are made of. */
export { type CertificateOptions, createCertificates } from './certificates.js';
export { type RunningJobManager, startJobManager } from './processes/job-manager-process.js';
export { createLog, type Logger } from './processes/process-log.js';
export { type RunningTaskManager, startTaskManager } from './processes/task-manager-process.js';
export { type RestServer, startRestServer } from './rest/rest-server.js';
export { TcpNetwork, type TcpNetworkOptions } from './transport/tcp-network.js';
export { loadTlsIdentity, type TlsFiles, type TlsIdentity, tlsFilesIn } from './transport/tls-identity.js';
