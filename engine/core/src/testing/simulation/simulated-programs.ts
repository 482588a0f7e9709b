/** The program of a simulation: a job that is in this process already, under the hash of bytes that stand for it. */
import type { JobDefinition } from '../../api/define-job.js';
import type { ArtifactModule } from '../../cluster/control-messages.js';
import type { ProgramStore } from '../../cluster/program-modules.js';

/** What is submitted in place of a bundle. */
export const SIMULATED_PROGRAM: Uint8Array = new TextEncoder().encode('a job of this process');

/** See the head of this file. A process knows only the modules that it was sent. */
export class SimulatedPrograms implements ProgramStore {
  private readonly job: JobDefinition;
  private readonly known = new Set<string>();

  constructor(job: JobDefinition) {
    this.job = job;
  }

  add({ hash }: ArtifactModule): void {
    this.known.add(hash);
  }

  urlOf(hash: string): string | undefined {
    return this.known.has(hash) ? `simulation:${hash}` : undefined;
  }

  async load(): Promise<{ readonly default: JobDefinition }> {
    return { default: this.job };
  }
}
