/**
 * Every error code of Millstream with its domain. docs/reference/errors.md explains each one; `test/tidy` fails when a code here
 * is not documented there, is documented but not here, or is used nowhere.
 */
export const ERROR_CODES = {
  /** An invariant of the engine does not hold. */
  INTERNAL: 'internal',
  /** A value that the record model does not allow (function, symbol, unregistered class …). */
  UNSUPPORTED_VALUE: 'user',
  /** A key that is not a boolean, number, string, bigint or a tuple of them. */
  UNSUPPORTED_KEY: 'user',
  /** Bytes that no codec of this version wrote, or that were cut or changed. */
  CORRUPT_DATA: 'internal',
  /** An option with an impossible or unknown value. */
  INVALID_OPTION: 'user',
  /** An operator emits more for one record than `exchange.record-output-max`. */
  RECORD_OUTPUT_TOO_LARGE: 'user',
  /** A custom partitioner returned something that is no channel. */
  INVALID_PARTITION: 'user',
  /** A user function threw, or an operator failed; the cause is attached. */
  OPERATOR_FAILED: 'user',
  /** A user function returned a promise where none can be awaited. */
  PROMISE_RETURNED: 'user',
  /** Operators that cannot be connected as the program says. */
  INVALID_PLAN: 'user',
  /** Two operators with the same uid. */
  DUPLICATE_UID: 'user',
  /** The program, evaluated again in a slot, builds another graph than the one that was submitted. */
  GRAPH_DIFFERS: 'user',
  /** A second `execute`, or a change to a job that has been executed. */
  ALREADY_EXECUTED: 'user',
  /** The disk, or the way to it, does not work at the moment. */
  DISK_FAILED: 'connector',
  /** The disk, or the user's quota on it, is full. */
  DISK_FULL: 'user',
  /** A file of a checkpoint is damaged or missing. */
  CHECKPOINT_CORRUPT: 'internal',
  /** There is no checkpoint at the given path. */
  CHECKPOINT_NOT_FOUND: 'user',
  /** A checkpoint whose state does not belong to the program's operators. */
  CHECKPOINT_OF_ANOTHER_JOB: 'user',
  /** A checkpoint written by a later version. */
  CHECKPOINT_VERSION: 'user',
  /** What was on its way in an unaligned checkpoint has no place in the program that is to restore it. */
  CHECKPOINT_UNALIGNED: 'user',
  /** Another maximum parallelism than the one that the state was divided by. */
  MAX_PARALLELISM_MISMATCH: 'user',
  /** Another process has changed the job record. */
  JOB_RECORD_CONFLICT: 'internal',
  /** The directory of checkpoints cannot be made or written. */
  CHECKPOINT_DIRECTORY_UNWRITABLE: 'user',
  /** More checkpoints failed in a row than tolerated. */
  CHECKPOINT_FAILED: 'internal',
  /** A slot did not close in time at the end of an attempt, and was ended. */
  CLOSE_TIMEOUT: 'user',
  /** A TaskManager's process is gone, or does not answer. */
  TASK_MANAGER_LOST: 'connector',
  /** A program whose content is not what its hash says. */
  ARTIFACT_CORRUPT: 'connector',
  /** There are not enough free slots for a job. */
  NO_RESOURCE_AVAILABLE: 'user',
  /** The same record failed three restarts in a row. */
  POISON_RECORD: 'user',
  /** Output that a checkpoint promised is gone. */
  SINK_DATA_LOSS: 'connector',
  /** A sink cannot write its output. */
  SINK_WRITE_FAILED: 'connector',
  /** A state that is declared under another kind or schema than it was stored or declared under before. */
  STATE_INCOMPATIBLE: 'user',
  /** Checked mode: a state's value was changed in place and `update` was not called. */
  STATE_CHANGED_WITHOUT_UPDATE: 'user',
  /** A record of an input file that its format cannot parse. */
  MALFORMED_RECORD: 'user',
  /** An input file or directory that cannot be read. */
  INPUT_UNREADABLE: 'connector',
  /** An input file that is not as it was when the job found it. */
  INPUT_CHANGED: 'user',
  /** A timer for a time that is not a number. */
  INVALID_TIMER: 'user',
  /** Something that is no function, or an instance of a function class that cannot be copied for each subtask. */
  INVALID_FUNCTION: 'user',
  /** A record without a timestamp where event time is needed. */
  NO_TIMESTAMP: 'user',
  /** An asynchronous call took longer than its timeout. */
  ASYNC_TIMEOUT: 'user',
  /** Keyed state or timers in an operator whose input is not keyed. */
  NO_KEYED_STATE: 'user',
  /** A slot ended without being asked to (crash, out of memory). */
  SLOT_LOST: 'internal',
  /** A configuration file that is not there, or cannot be read as YAML. */
  CONFIGURATION_UNREADABLE: 'user',
  /** A package that a command or the configuration asks for and that is not installed. */
  PACKAGE_NOT_INSTALLED: 'user',
  /** There is no program at the given path. */
  PROGRAM_NOT_FOUND: 'user',
  /** A program that cannot be bundled: it does not parse, or imports what is not there. */
  PROGRAM_INVALID: 'user',
  /** The program's file is not what it was when the job was started. */
  PROGRAM_CHANGED: 'user',
  /** The program threw while it built its graph. */
  PROGRAM_FAILED: 'user',
  /** The program writes files, starts processes or uses the network while its graph is built in a slot. */
  PROGRAM_SIDE_EFFECT: 'user',
  /** A program does not come to the end of its graph. */
  PROGRAM_TIMEOUT: 'user',
  /** An argument of the program that is no --name value pair. */
  INVALID_ARGUMENT: 'user',
  /** The job was stopped or cancelled before its end; `execute` does not resolve then. */
  JOB_STOPPED: 'user',
  /** Nothing answers at the address, or not in time. */
  CONNECTION_FAILED: 'connector',
  /** A connection ended without being closed. */
  CONNECTION_LOST: 'connector',
  /** Another process listens on the port. */
  ADDRESS_IN_USE: 'user',
  /** An address that this machine does not have or may not listen on. */
  ADDRESS_UNAVAILABLE: 'user',
  /** An address beyond this machine without TLS and a token. */
  INSECURE_ADDRESS: 'user',
  /** The other end of a connection is of another version, or no part of Millstream. */
  PROTOCOL_MISMATCH: 'user',
  /** The other end of a connection has another token, or no certificate of the same authority. */
  AUTHENTICATION_FAILED: 'user',
  /** A message between processes that is larger than allowed. */
  MESSAGE_TOO_LARGE: 'user',
  /** A certificate or key that cannot be read, made or used. */
  CERTIFICATE_INVALID: 'user',
  /** Certificates that are there already and were not to be replaced. */
  CERTIFICATE_EXISTS: 'user',
  /** There is no such job, vertex, checkpoint, artifact or operation. */
  NOT_FOUND: 'user',
  /** A request that REST cannot read, or with values that cannot be. */
  INVALID_REQUEST: 'user',
  /** A request without a token, or with one that the cluster does not know. */
  UNAUTHORIZED: 'user',
  /** A request that its token's role, or the cluster's settings, do not allow. */
  FORBIDDEN: 'user',
  /** A request or an upload beyond its limit. */
  REQUEST_TOO_LARGE: 'user',
  /** A request whose work takes longer than its caller is to wait. */
  REQUEST_TIMEOUT: 'connector',
  /** A request that the state of what it names does not allow. */
  REQUEST_CONFLICT: 'user',
  /** No JobManager answers, or none that leads. */
  CLUSTER_UNAVAILABLE: 'connector',
  /** REST beyond the loopback interface without tokens. */
  REST_UNPROTECTED: 'user',
  /** Records cannot travel any more between two TaskManagers of an attempt. */
  EXCHANGE_FAILED: 'internal',
  /** A bucket of an object store that does not exist. */
  STORAGE_BUCKET_MISSING: 'user',
  /** An object store that refuses the credentials, or what they may do. */
  STORAGE_ACCESS_DENIED: 'user',
  /** An object store that does not answer, or not in time. */
  STORAGE_UNREACHABLE: 'connector',
  /** An object store that refuses a request, or fails at it. */
  STORAGE_REQUEST_FAILED: 'connector',
  /** An object store that ignores the conditions of conditional writes. */
  STORAGE_NOT_CONDITIONAL: 'user',
  /** A path of a file system that Millstream does not know. */
  STORAGE_UNKNOWN: 'user',
} as const;

/** Who has to act: the user's program or options, a system outside, or the engine. */
export type ErrorDomain = 'user' | 'connector' | 'internal';

/** A key of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;
