/**
 * Collects what a program adds to its environment, once: after `build` nothing can be added or changed.
 * Knows the stream classes only through `StreamFactory`, because they extend and make each other.
 */
import { type ClassCodec, ClassRegistry } from '../codec/class-registry.js';
import { MillstreamError } from '../common/errors.js';
import type { JobOptions } from '../config/options.js';
import { parseOptions, resolveOptions } from '../config/resolve-options.js';
import { buildPlan } from '../plan/build-plan.js';
import { createDraft, type NodeDraft, type NodeSpecification } from '../plan/draft.js';
import type { JobProgram, PlainValue, SlotResources } from '../plan/plan.js';
import { describeResources } from '../plan/slot-resources.js';
import type { EvaluationContext } from './evaluation.js';
import type { SlotSharingGroup } from './slot-sharing-group.js';
import type { StreamFactory } from './stream-factory.js';

/** The job that an environment builds. Internal: users see the environment and its streams. */
export class JobBuilder {
  readonly streams: StreamFactory;
  /** Undefined: a program of its own, outside of an evaluation. */
  readonly context: EvaluationContext | undefined;
  /** Set while `defineJob`'s function runs: Millstream executes its job. */
  executeRefusal: string | undefined;
  readonly #drafts: NodeDraft[] = [];
  readonly #options: Record<string, PlainValue> = {};
  readonly #classes = new ClassRegistry();
  readonly #slotResources = new Map<string, SlotResources>();
  #builtAs: string | undefined;

  constructor(streams: StreamFactory, context: EvaluationContext | undefined) {
    this.streams = streams;
    this.context = context;
  }

  /** Adds a node. */
  add(specification: NodeSpecification): NodeDraft {
    this.requireOpen(`add operator "${specification.name ?? specification.kind}"`);
    const draft = createDraft(specification);
    this.#drafts.push(draft);
    return draft;
  }

  /** Throws ALREADY_EXECUTED if the job has been executed; `action` completes "Cannot …". */
  requireOpen(action: string): void {
    if (this.#builtAs === undefined) return;
    throw new MillstreamError(
      'ALREADY_EXECUTED',
      `Cannot ${action}: job "${this.#builtAs}" has been executed already. Make a new environment for another job.`,
    );
  }

  /** Sets options; throws INVALID_OPTION. */
  configure(options: JobOptions): void {
    this.requireOpen('set options');
    Object.assign(this.#options, parseOptions(options));
  }

  /** Registers a class; throws INVALID_OPTION. */
  registerClass<T, P>(name: string, type: abstract new (...parameters: never[]) => T, codec: ClassCodec<T, P>): void {
    this.requireOpen(`register class ${JSON.stringify(name)}`);
    this.#classes.registerClass(name, type, codec);
  }

  /** Notes what the slots of a group take; throws INVALID_OPTION if the group has said something else before. */
  registerSlotSharingGroup({ name, resources }: SlotSharingGroup): void {
    this.requireOpen(`register slot sharing group "${name}"`);
    if (resources === undefined) return;
    const known = this.#slotResources.get(name);
    if (known !== undefined && (known.cpuCores !== resources.cpuCores || known.heapBytes !== resources.heapBytes)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot register slot sharing group "${name}" with ${describeResources(resources)}: it has ${describeResources(known)} already. Make it once, or give the other one a name of its own.`,
      );
    }
    this.#slotResources.set(name, resources);
  }

  /** Freezes the job. */
  build(jobName: string | undefined): JobProgram {
    this.requireOpen(`execute job "${jobName ?? this.#builtAs}"`);
    const { defaults = {}, options: overrides = {} } = this.context ?? {};
    const options = { ...parseOptions(defaults), ...this.#options, ...parseOptions(overrides) };
    const name = jobName ?? resolveOptions(options)['pipeline.name'] ?? 'Millstream job';
    const parameters = this.context?.parameters ?? {};
    const program = buildPlan({
      jobName: name,
      drafts: this.#drafts,
      parameters,
      options,
      classes: this.#classes,
      slotResources: this.#slotResources,
    });
    this.#builtAs = name;
    return this.context?.moment === undefined ? program : { ...program, moment: this.context.moment };
  }
}
