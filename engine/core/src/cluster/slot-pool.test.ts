import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { HostedSlots } from './hosted-slots.js';
import { RegisteredTaskManager } from './registered-task-manager.js';
import { SlotPool, type SlotRequest } from './slot-pool.js';

function member(id: string, slots: number, clock: VirtualClock, hosted: readonly HostedSlots[] = []): RegisteredTaskManager {
  return new RegisteredTaskManager({
    hosted,
    description: {
      id,
      host: 'localhost',
      data: { host: 'localhost', port: 1 },
      slots,
      pid: 1,
      hardware: { cpuCores: 1, physicalMemory: 1, freeMemory: 1 },
    },
    connection: { remote: id, pendingBytes: 0, send: () => true, close: () => undefined, destroy: () => undefined },
    term: 1,
    clock,
    heartbeatIntervalMs: 1000,
    heartbeatTimeoutMs: 10_000_000,
    onSilence: () => undefined,
    onStale: () => undefined,
  });
}

function request(slots: number, job = 'job'): SlotRequest {
  return { profiles: new Array<undefined>(slots).fill(undefined), job, jobName: job };
}

const TIMEOUT_MS = 5000;

function hostsOf(lease: { readonly hosts: readonly { readonly id: string }[] }): string[] {
  return lease.hosts.map(({ id }) => id);
}

describe('SlotPool', () => {
  it('fills the fullest TaskManager, or spreads over the emptiest', async () => {
    const clock = new VirtualClock();
    for (const [spread, expected] of [
      ['fill', ['b', 'b', 'c']],
      ['spread', ['b', 'c', 'c']],
    ] as const) {
      const pool = new SlotPool({ clock, spread });
      pool.add(member('b', 2, clock));
      pool.add(member('c', 3, clock));
      expect(hostsOf(await pool.acquire(request(3), TIMEOUT_MS).lease)).toEqual(expected);
      expect(pool.freeSlots).toBe(2);
    }
  });

  it('gives all slots or none, first come first served', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill' });
    const order: string[] = [];
    const large = pool.acquire(request(3, 'large'), TIMEOUT_MS).lease.then((lease) => {
      order.push('large');
      return lease;
    });
    const small = pool.acquire(request(1, 'small'), TIMEOUT_MS).lease.then(() => order.push('small'));
    pool.add(member('a', 2, clock));
    await Promise.resolve();
    expect(order).toEqual([]);
    expect(pool.freeSlots).toBe(2);
    pool.add(member('b', 1, clock));
    (await large).release();
    await small;
    expect(order).toEqual(['large', 'small']);
  });

  it('gives up after the time, and serves who waits behind', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill' });
    pool.add(member('a', 1, clock));
    const large = pool.acquire(request(2, 'large'), TIMEOUT_MS).lease;
    const small = pool.acquire(request(1, 'small'), TIMEOUT_MS).lease;
    const refused = expect(large).rejects.toThrow(/Cannot run job "large": it needs 2 slots, and 1 of 1 were free/);
    clock.advanceBy(5000);
    await refused;
    expect(hostsOf(await small)).toEqual(['a']);
  });

  it('gives no slots of a TaskManager that is gone', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill' });
    const gone = member('a', 4, clock);
    pool.add(gone);
    pool.remove(gone);
    pool.add(member('b', 1, clock));
    expect(hostsOf(await pool.acquire(request(1), TIMEOUT_MS).lease)).toEqual(['b']);
  });

  it('keeps the slots of a job between two attempts, and gives it the same ones', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill', idleTimeoutMs: 1000 });
    for (const id of ['a', 'b', 'c']) pool.add(member(id, 1, clock));
    const first = await pool.acquire(request(2, 'one'), TIMEOUT_MS).lease;
    expect(hostsOf(first)).toEqual(['a', 'b']);
    const other = pool.acquire(request(2, 'two'), TIMEOUT_MS);
    first.release();
    expect([pool.freeSlots, pool.available('one'), pool.available('two')]).toEqual([1, 2, 1]);
    const again = pool.take(request(1, 'one'));
    expect(hostsOf(again as NonNullable<typeof again>)).toEqual(['a']);
    // What the attempt leaves is for the others.
    expect(hostsOf(await other.lease)).toEqual(['b', 'c']);
  });

  it('frees what it keeps after the time, and when the job has ended', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill', idleTimeoutMs: 1000 });
    pool.add(member('a', 1, clock));
    (await pool.acquire(request(1, 'one'), TIMEOUT_MS).lease).release();
    expect(pool.take(request(1, 'two'))).toBeUndefined();
    clock.advanceBy(1000);
    pool.take(request(1, 'two'))?.release();
    expect(pool.freeSlots).toBe(0);
    pool.forget('two');
    expect(pool.freeSlots).toBe(1);
  });

  it('tells of slots that come and go, and counts what a job could have', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill' });
    const seen: number[] = [];
    const end = pool.onChange(() => seen.push(pool.available('one')));
    const a = member('a', 2, clock);
    pool.add(a);
    const lease = pool.take(request(1, 'two'));
    pool.add(member('b', 1, clock));
    lease?.release();
    pool.remove(a);
    end();
    pool.add(a);
    expect(seen).toEqual([2, 2, 3, 1]);
  });

  it('replaces single slots of an attempt that goes on', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill' });
    const [a, b] = [member('a', 2, clock), member('b', 2, clock)];
    pool.add(a);
    pool.add(b);
    const all = request(3);
    const lease = await pool.acquire(all, TIMEOUT_MS).lease;
    expect(hostsOf(lease)).toEqual(['a', 'a', 'b']);
    pool.remove(a);
    const claim = pool.acquire({ ...all, into: { lease, slots: [0, 1] } }, TIMEOUT_MS);
    const refused = expect(claim.lease).rejects.toThrow(/it needs 2 slots, and 1 of 2 were free/);
    clock.advanceBy(TIMEOUT_MS);
    await refused;
    pool.add(member('c', 1, clock));
    expect(await pool.acquire({ ...all, into: { lease, slots: [0, 1] } }, TIMEOUT_MS).lease).toBe(lease);
    expect([...hostsOf(lease)].sort()).toEqual(['b', 'b', 'c']);
    expect(pool.freeSlots).toBe(0);
    lease.release();
    expect(pool.freeSlots).toBe(3);
  });

  it('gives a job that a former leader ran the slots where its state is', async () => {
    const clock = new VirtualClock();
    const pool = new SlotPool({ clock, spread: 'fill' });
    const hosted = (slots: readonly (readonly [number, number])[], of = 3, job = 'job'): HostedSlots => ({ job, of, slots });
    pool.add(member('a', 2, clock, [hosted([[2, 5]]), hosted([[0, 9]], 3, 'another'), hosted([[0, 9]], 4)]));
    pool.add(
      member('b', 2, clock, [
        hosted([
          [0, 4],
          [1, 5],
        ]),
      ]),
    );
    pool.add(
      member('c', 2, clock, [
        hosted([
          [0, 5],
          [2, 4],
        ]),
      ]),
    );
    const lease = await pool.acquire(request(3), TIMEOUT_MS).lease;
    expect(hostsOf(lease)).toEqual(['c', 'b', 'a']);
    lease.release();
    // From now on the pool knows for itself.
    pool.add(member('d', 2, clock, [hosted([[0, 99]])]));
    expect(hostsOf(await pool.acquire(request(3), TIMEOUT_MS).lease)).toEqual(['c', 'b', 'a']);
  });
});
