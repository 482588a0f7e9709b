/** A job of an earlier leader that this one cannot go on with: what is known of it, so that it can be seen. */
import type { Clock } from '../common/clock.js';
import type { MillstreamError } from '../common/errors.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { Plan } from '../plan/plan.js';
import type { ResourceRequirements } from './gateway/job-info.js';
import { JobFactsCollector } from './job-facts.js';
import { type RunSettings, runSettings } from './job-settings.js';
import type { SubmittedJob } from './submitted-jobs.js';

export class UnrecoveredJob {
  readonly id: string;
  readonly name: string;
  readonly facts: JobFactsCollector;
  readonly configuration: Readonly<Record<string, string>>;
  /** Of the options that it was submitted with; what its program sets is not known. */
  readonly settings: RunSettings;
  readonly requirements: ResourceRequirements;

  constructor({ id, name = id, options, requirements = {} }: SubmittedJob, error: MillstreamError, clock: Clock) {
    this.id = id;
    this.name = name;
    // Without its program it has no graph.
    const graph: JobGraph = { jobName: name, structuralHash: '', vertices: [], edges: [] };
    this.facts = new JobFactsCollector(graph, clock);
    this.facts.failed(error);
    this.facts.ended('FAILED');
    this.configuration = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, String(value)]));
    this.settings = settingsOf(options);
    this.requirements = requirements;
  }
}

function settingsOf(options: Readonly<Record<string, unknown>>): RunSettings {
  try {
    return runSettings({ options } as Plan, {});
  } catch {
    // They may be what is wrong with it.
    return runSettings({ options: {} } as Plan, {});
  }
}
