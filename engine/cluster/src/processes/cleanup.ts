/** What is to be undone when a process ends or could not start: the last first, and each, whatever becomes of the others. */
export class Cleanup {
  private readonly steps: (() => unknown)[] = [];

  /** A promise that `step` returns is waited for. */
  add(step: () => unknown): void {
    this.steps.push(step);
  }

  /** Throws the first error after all has been tried. */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (const step of this.steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Undoes everything if `start` fails. */
  static async guard<T>(start: (cleanup: Cleanup) => Promise<T>): Promise<T> {
    const cleanup = new Cleanup();
    try {
      return await start(cleanup);
    } catch (error) {
      await cleanup.run().catch(() => undefined);
      throw error;
    }
  }
}
