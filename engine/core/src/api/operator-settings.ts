/** The settings that operators have: checks and sets them on a node that has been added. */
import { MillstreamError } from '../common/errors.js';
import { parseOption } from '../config/resolve-options.js';
import type { FailedRecord, OnError } from '../operators/operator.js';
import { OutputTag } from '../operators/output-tag.js';
import type { NodeDraft } from '../plan/draft.js';
import { requireParallelism } from '../plan/resolve-parallelism.js';
import type { JobBuilder } from './job-builder.js';
import { SlotSharingGroup } from './slot-sharing-group.js';

/**
 * What is done with a record whose user function throws: fail the job (default), drop and count it, or send it with the error to a side
 * output.
 */
export type OnErrorPolicy = 'fail' | 'skip' | OutputTag<FailedRecord<unknown>>;

type Setting = {
  readonly [Name in
    | 'name'
    | 'uid'
    | 'slotSharingGroup'
    | 'description'
    | 'parallelism'
    | 'maxParallelism'
    | 'bufferTimeoutMs'
    | 'chaining']: NodeDraft[Name] | undefined;
};

/** Sets what `settings` has; throws INVALID_OPTION for a bad value, ALREADY_EXECUTED if the job runs. */
export function changeNode(job: JobBuilder, node: NodeDraft, settings: Partial<Setting>): void {
  const operator = `operator "${node.name}"`;
  job.requireOpen(`change ${operator}`);
  for (const [name, value] of Object.entries(settings)) {
    if (name === 'parallelism' || name === 'maxParallelism') requireParallelism(value as number, `the ${name} of ${operator}`);
    else if (name === 'bufferTimeoutMs') parseOption('execution.buffer-timeout.interval', value);
    else requireText(value, `the ${name} of ${operator}`);
  }
  Object.assign(node, settings);
}

/** Puts an operator into a group, by its name or with what its slots take. */
export function changeSlotSharingGroup(job: JobBuilder, node: NodeDraft, group: string | SlotSharingGroup): void {
  if (group instanceof SlotSharingGroup) job.registerSlotSharingGroup(group);
  changeNode(job, node, { slotSharingGroup: group instanceof SlotSharingGroup ? group.name : group });
}

function requireText(value: unknown, subject: string): void {
  if (typeof value === 'string' && value.trim() !== '') return;
  throw new MillstreamError('INVALID_OPTION', `Cannot set ${subject} to ${JSON.stringify(value)}: it must be text that is not empty.`);
}

/** Sets what happens to a record whose function throws. */
export function changeOnError(job: JobBuilder, node: NodeDraft, policy: OnErrorPolicy): void {
  job.requireOpen(`change operator "${node.name}"`);
  const type = node.implementation?.type;
  if (type !== 'map' && type !== 'filter' && type !== 'flatMap' && type !== 'operator') {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot set onError of operator "${node.name}" (${node.kind}): it runs no function of yours on single records. Set it on the operator whose function throws.`,
    );
  }
  node.onError = readPolicy(node, policy);
}

function readPolicy(node: NodeDraft, policy: OnErrorPolicy): OnError {
  if (policy instanceof OutputTag) return { type: 'sideOutput', tag: policy.id };
  if (policy === 'fail' || policy === 'skip') return { type: policy };
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot set onError of operator "${node.name}" to ${JSON.stringify(policy)}: it must be 'fail', 'skip' or an OutputTag.`,
  );
}
