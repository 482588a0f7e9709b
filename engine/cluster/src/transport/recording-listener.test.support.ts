/** Listeners that remember what they heard, and waiting on real time. */
import { createHash } from 'node:crypto';
import type { MillstreamError } from 'millstream';
import type { Connection, ConnectionListener, Network, NetworkAddress, NetworkListener } from 'millstream/cluster';
import { systemClock } from 'millstream/testing';
import { expect } from 'vitest';

/** What a connection brought. Its own rules are checked as it goes. */
export class RecordingListener implements ConnectionListener {
  readonly sizes: number[] = [];
  readonly drains: number[] = [];
  readonly closes: (MillstreamError | undefined)[] = [];
  connection: Connection | undefined;
  /** What else is to be done with a message. */
  onEach: (message: Uint8Array) => void = () => undefined;
  private readonly hash = createHash('sha256');

  onMessage(message: Uint8Array): void {
    expect(this.closes).toEqual([]);
    this.sizes.push(message.length);
    this.hash.update(message);
    this.onEach(message);
  }

  onDrain(): void {
    expect(this.closes).toEqual([]);
    this.drains.push(this.connection?.pendingBytes ?? Number.NaN);
  }

  onClose(error: MillstreamError | undefined): void {
    this.closes.push(error);
  }

  /** The code it closed with; undefined: in good order, or not yet. */
  get closeCode(): string | undefined {
    return this.closes[0]?.code;
  }

  digest(): string {
    return this.hash.copy().digest('hex');
  }
}

/** Listens, and keeps the listeners of all accepted connections. */
export async function listenRecording(
  network: Network,
  address: NetworkAddress,
): Promise<{ readonly server: NetworkListener; readonly accepted: RecordingListener[] }> {
  const accepted: RecordingListener[] = [];
  const server = await network.listen(address, (connection) => {
    const listener = new RecordingListener();
    listener.connection = connection;
    accepted.push(listener);
    return listener;
  });
  return { server, accepted };
}

/** The error that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<MillstreamError> {
  const outcome: unknown = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(Error);
  return outcome as MillstreamError;
}

/** Until it holds; fails after a minute. */
export async function untilTrue(condition: () => boolean): Promise<void> {
  const deadline = systemClock.monotonic() + 60_000;
  while (!condition()) {
    if (systemClock.monotonic() > deadline) throw new Error(`It has not become true in a minute: ${String(condition)}`);
    await pause(1);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.schedule(ms, resolve));
}
