/**
 * A bell between a reader and its task: the task waits when `poll` found nothing, whoever brings something rings.
 * A ring that nobody waits for is kept, so none is lost between `poll` and `wait`.
 */
export class Availability {
  #promise: Promise<void> | undefined;
  #resolve: (() => void) | undefined;
  #rung = false;

  /** Resolves at the next ring, or at once if it rang since the last wait. */
  wait(): Promise<void> {
    if (this.#rung) {
      this.#rung = false;
      return Promise.resolve();
    }
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  ring(): void {
    const resolve = this.#resolve;
    if (resolve === undefined) {
      this.#rung = true;
      return;
    }
    this.#promise = undefined;
    this.#resolve = undefined;
    resolve();
  }
}
