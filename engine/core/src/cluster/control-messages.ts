/**
 * The control protocol between a JobManager and its TaskManagers: one connection each, opened by the TaskManager.
 *
 *     TaskManager                         JobManager
 *        │ register ─────────────────────────▶ │ a slot pool takes its slots
 *        │ ◀───────────────────────── registered │ with the leader's term
 *        │ heartbeat ◀────────────────▶ heartbeat │ whoever hears nothing for the timeout gives the other up
 *        │ ◀──────────── artifact, open(attempt) │
 *        │ report ◀──────────────────────▶ slot │ the slots' own protocol (runtime/slot-messages.ts), relayed
 *        │ ◀────────────────────── close(attempt) │ user functions and files are closed
 *        │ closed ───────────────────────────▶ │
 *        │ leave ────────────────────────────▶ │ before it stops
 *        │ ◀─────────────────────── kill(attempt) │ threads end
 *
 * Invariants: 1. whatever is about an attempt names it with its job, number and the leader's term; of another term or an attempt that is
 * over it is dropped and counted; 2. both ends run the same release (the connection's handshake sees to that), so messages need no
 * versions of their own.
 */
import { deserialize, serialize } from 'node:v8';
import { MillstreamError } from '../common/errors.js';
import type { NetworkAddress } from '../common/transport.js';
import type { ExchangeAttempt } from '../network/exchange-frames.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import type { SerializedError, SlotPlan, ToSlot } from '../runtime/slot-messages.js';
import type { HardwareDescription } from './gateway/cluster-info.js';
import type { HostedSlots } from './hosted-slots.js';
import type { ProcessFigures } from './process-figures.js';
import type { ResourceProfile } from './scheduling/resource-profile.js';
import type { SlotReport } from './slot-set.js';

/** Names one deployment of a region of a job, in messages as in the exchange. */
export type AttemptKey = ExchangeAttempt;

/** What a TaskManager says of itself. */
export interface TaskManagerDescription {
  /** Unique, of one process. */
  readonly id: string;
  readonly host: string;
  /** Where other TaskManagers reach its exchange. */
  readonly data: NetworkAddress;
  readonly slots: number;
  readonly pid: number;
  readonly hardware: HardwareDescription;
  /** What its slots share. Default: the machine's cores, and heap without a limit. */
  readonly resources?: ResourceProfile;
}

/** A program's module, by its content; sent once to every TaskManager that needs it. */
export interface ArtifactModule {
  /** SHA-256 of the content, hexadecimal. */
  readonly hash: string;
  readonly content: Uint8Array;
}

/** The program of an attempt, without the place of its module. */
export type RemoteArtifact = Omit<ProgramArtifact, 'url'> & { readonly hash: string };

/** What a TaskManager is to run of a region in an attempt. */
export interface AttemptDeployment {
  readonly key: AttemptKey;
  /** Of this deployment: exchanges know by it that they belong together. */
  readonly token: string;
  readonly artifact: RemoteArtifact;
  /** Of the slots that this TaskManager gets. */
  readonly plans: readonly SlotPlan[];
  /** By slot of the attempt: the TaskManager that runs it. */
  readonly hosts: readonly string[];
  /** Where the exchanges of all TaskManagers of the attempt are. */
  readonly exchanges: { readonly [taskManager: string]: NetworkAddress };
  readonly youngGenerationMb: number;
}

export type ToTaskManager =
  | { readonly type: 'registered'; readonly term: number; readonly heartbeatIntervalMs: number; readonly heartbeatTimeoutMs: number }
  | { readonly type: 'heartbeat' }
  | { readonly type: 'artifact'; readonly module: ArtifactModule }
  | { readonly type: 'open'; readonly deployment: AttemptDeployment }
  | { readonly type: 'slot'; readonly key: AttemptKey; readonly slot: number; readonly message: ToSlot }
  | { readonly type: 'broadcast'; readonly key: AttemptKey; readonly message: ToSlot }
  | { readonly type: 'close'; readonly key: AttemptKey }
  | { readonly type: 'kill'; readonly key: AttemptKey }
  /** The run is over: what a TaskManager keeps of it may go. */
  | { readonly type: 'forget'; readonly run: string }
  | { readonly type: 'killSlot'; readonly key: AttemptKey; readonly slot: number };

export type FromTaskManager =
  /** `hosted`: what it has run for earlier leaders, and keeps copies of state of. */
  | { readonly type: 'register'; readonly taskManager: TaskManagerDescription; readonly hosted: readonly HostedSlots[] }
  /** `figures`: of the process, as far as measured. */
  | { readonly type: 'heartbeat'; readonly figures: ProcessFigures | undefined }
  /** It stops: its slots are not to be used again. */
  | { readonly type: 'leave' }
  | { readonly type: 'report'; readonly key: AttemptKey; readonly slot: number; readonly message: SlotReport }
  | { readonly type: 'lost'; readonly key: AttemptKey; readonly error: SerializedError }
  | { readonly type: 'closeFailed'; readonly key: AttemptKey; readonly error: SerializedError }
  | { readonly type: 'closed'; readonly key: AttemptKey };

export function encodeControl(message: ToTaskManager | FromTaskManager): Uint8Array {
  return serialize(message);
}

/** The bytes may be used again afterwards. Throws PROTOCOL_MISMATCH if they are no message. */
export function decodeControl<M extends ToTaskManager | FromTaskManager>(bytes: Uint8Array): M {
  try {
    // Arrays of bytes in a message are views on what it was read from.
    const message = deserialize(new Uint8Array(bytes)) as unknown;
    if (typeof message === 'object' && message !== null && typeof (message as { type?: unknown }).type === 'string') return message as M;
  } catch (cause) {
    throw violation('its bytes are damaged', cause);
  }
  throw violation('it is no message');
}

function violation(what: string, cause?: unknown): MillstreamError {
  return new MillstreamError('PROTOCOL_MISMATCH', `Cannot understand a control message: ${what}. The connection is closed.`, { cause });
}
