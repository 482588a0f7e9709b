/** What is asked of a cluster through REST and what it answers, in Flink's field names. */

/** An operation that takes its time: asked for with a trigger id, then looked up by it. */
export interface AsynchronousOperation<T> {
  readonly status: { readonly id: 'IN_PROGRESS' | 'COMPLETED' };
  /** What came of it, or `failure-cause`. Absent while it is in progress. */
  readonly operation?: T | FailedOperation;
}

/** Why something failed. */
export interface FailureCause {
  /** The error's code. */
  readonly class: string;
  /** Its message (the name is Flink's; a stack is for logs). */
  readonly 'stack-trace': string;
}

/** An operation that failed. */
export interface FailedOperation {
  readonly 'failure-cause': FailureCause;
}

/** What a savepoint, or a stop with one, comes to. */
export interface SavepointLocation {
  readonly location: string;
}

/** What a checkpoint that was asked for comes to. */
export interface CheckpointReference {
  readonly checkpointId: number;
}

/** Asking again with the same id starts nothing new. Without one the cluster chooses. */
interface Triggered {
  /** 32 hexadecimal digits. */
  readonly triggerId?: string;
}

/** How to take a savepoint. */
export interface SavepointRequest extends Triggered {
  /** Absent: the job's `execution.checkpointing.savepoint-dir`. */
  readonly 'target-directory'?: string;
}

/** How to end a job with a savepoint. */
export interface StopRequest extends Triggered {
  readonly targetDirectory?: string;
  /** Send everything on as at the end of the input first: windows fire. Default: false, the job can be resumed. */
  readonly drain?: boolean;
}

/** How to take a checkpoint: FULL and INCREMENTAL are refused, the backend decides. */
export interface CheckpointRequestBody extends Triggered {
  readonly checkpointType?: 'CONFIGURED' | 'FULL' | 'INCREMENTAL';
}

/** Which savepoint to remove. */
export interface SavepointDisposalRequest extends Triggered {
  readonly 'savepoint-path': string;
}

/** `GET /jobs/:jobid/execution-result`. */
export interface JobExecutionResultInfo {
  readonly status: { readonly id: 'IN_PROGRESS' | 'COMPLETED' };
  readonly 'job-execution-result'?: {
    readonly id: string;
    readonly 'application-status': 'SUCCEEDED' | 'FAILED' | 'CANCELED';
    readonly 'net-runtime': number;
    readonly 'failure-cause'?: FailureCause;
  };
}

/** A program that was uploaded. */
export interface ArtifactInfo {
  /** "<first 32 digits of its SHA-256>_<name>": the same bytes under the same name are the same artifact. */
  readonly id: string;
  readonly name: string;
  /** When, ms since 1970. */
  readonly uploaded: number;
  readonly size: number;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

/** `GET /jars`. */
export interface ArtifactList {
  /** Where REST is reached. */
  readonly address: string;
  readonly files: readonly ArtifactInfo[];
}

/** A program to upload. */
export interface ArtifactUpload {
  /** A file name that ends in .js or .mjs. */
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** Refused if the content has another hash. */
  readonly sha256?: string;
}

/** How to build a job's graph from an artifact. */
export interface ArtifactPlanRequest {
  /** What follows the program's name on a command line: "--name", "value" … */
  readonly programArgsList?: readonly string[];
  readonly parallelism?: number;
  /** Options of the job: they override what the program sets. */
  readonly configuration?: Readonly<Record<string, string>>;
}

/** How to run an artifact. */
export interface ArtifactRunRequest extends ArtifactPlanRequest {
  /** The new job's id, 32 hexadecimal digits; running twice with the same id starts one job. Absent: the cluster chooses. */
  readonly jobId?: string;
  readonly savepointPath?: string;
  readonly allowNonRestoredState?: boolean;
  readonly claimMode?: 'CLAIM' | 'NO_CLAIM';
}
