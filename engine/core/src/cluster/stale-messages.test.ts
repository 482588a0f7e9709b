/** Messages of attempts and leaders that are over: dropped, counted, and harmless. */
import { describe, expect, it } from 'vitest';
import type { Connection, ConnectionListener, Network } from '../common/transport.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { MemoryDisk } from '../testing.js';
import { type AttemptKey, decodeControl, encodeControl, type FromTaskManager, type ToTaskManager } from './control-messages.js';
import { JobManager } from './job-manager.js';
import type { ProgramStore } from './program-modules.js';
import { TaskManager } from './task-manager.js';

const DESCRIPTION = {
  id: 'tm',
  host: 'localhost',
  data: { host: 'localhost', port: 1 },
  slots: 1,
  pid: 1,
  hardware: { cpuCores: 1, physicalMemory: 1, freeMemory: 1 },
};
const KEY: AttemptKey = { job: 'job', run: 'run', attempt: 3, region: 0, term: 1 };
const MODULES: ProgramStore = { add: () => undefined, urlOf: () => undefined, load: async () => ({}) };
const ERROR = { name: 'MillstreamError', code: 'SLOT_LOST', message: 'lost', stack: '', retryable: true, details: {} };

/** A connection whose other end is the test. */
class Peer implements Connection {
  readonly remote = 'test';
  readonly pendingBytes = 0;
  readonly sent: (FromTaskManager | ToTaskManager)[] = [];
  destroyed = false;

  send(bytes: Uint8Array): boolean {
    this.sent.push(decodeControl(bytes));
    return true;
  }

  close(): void {
    this.destroyed = true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

describe('a JobManager', () => {
  it('drops and counts what a TaskManager says of an attempt that is over, or of another leader', () => {
    const jobManager = new JobManager({
      clock: new VirtualClock(),
      disk: new MemoryDisk(),
      modules: MODULES,
      term: 2,
      heartbeatIntervalMs: 1000,
      heartbeatTimeoutMs: 10_000,
      scheduler: { type: 'Default', slotRequestTimeoutMs: 1000, failover: 'region' },
      spread: 'fill',
      observer: {
        taskManagerRegistered: () => undefined,
        taskManagerLost: () => undefined,
        jobSubmitted: () => undefined,
        jobEnded: () => undefined,
        recoveryFailed: () => undefined,
        refused: () => undefined,
      },
    });
    const peer = new Peer();
    const listener = jobManager.accept(peer);
    const say = (message: FromTaskManager): void => listener.onMessage(encodeControl(message));
    say({ type: 'register', taskManager: DESCRIPTION, hosted: [] });
    const heard: string[] = [];
    const [member] = jobManager.pool.taskManagers;
    member?.join(
      { ...KEY, term: 2 },
      {
        report: (_slot, { type }) => heard.push(type),
        lost: () => heard.push('lost'),
        closeFailed: () => heard.push('closeFailed'),
        closed: () => heard.push('closed'),
      },
    );
    say({ type: 'report', key: KEY, slot: 0, message: { type: 'deployed' } });
    say({ type: 'lost', key: { ...KEY, term: 2, attempt: 2 }, error: ERROR });
    say({ type: 'closed', key: { ...KEY, term: 2, run: 'another' } });
    expect([jobManager.staleMessages, heard]).toEqual([3, []]);
    say({ type: 'report', key: { ...KEY, term: 2 }, slot: 0, message: { type: 'deployed' } });
    expect([jobManager.staleMessages, heard, peer.destroyed]).toEqual([3, ['deployed'], false]);
  });
});

describe('a TaskManager', () => {
  it('drops and counts what a JobManager says of an attempt that is not open', async () => {
    const peer = new Peer();
    let listener: ConnectionListener | undefined;
    const network: Network = {
      connect: async (_address, heard) => {
        listener = heard;
        return peer;
      },
      listen: () => Promise.reject(new Error('nobody listens')),
    };
    const stale: string[] = [];
    const taskManager = new TaskManager({
      description: DESCRIPTION,
      network,
      clock: new VirtualClock(),
      modules: MODULES,
      findLeader: async () => ({ host: 'localhost', port: 1 }),
      startSlot: () => {
        throw new Error('no slot is to start');
      },
      exchange: { open: () => Promise.reject(new Error('no exchange is to open')) } as never,
      observer: {
        registered: () => undefined,
        disconnected: () => undefined,
        attemptOpened: () => undefined,
        attemptEnded: () => undefined,
        stale: (type, { attempt, term }) => stale.push(`${type} ${attempt} ${term}`),
      },
    });
    taskManager.start();
    await new Promise((resolve) => setImmediate(resolve));
    const say = (message: ToTaskManager): void => listener?.onMessage(encodeControl(message));
    say({ type: 'registered', term: 2, heartbeatIntervalMs: 1000, heartbeatTimeoutMs: 10_000 });
    say({ type: 'broadcast', key: KEY, message: { type: 'start' } });
    say({ type: 'slot', key: { ...KEY, term: 2 }, slot: 0, message: { type: 'cancel' } });
    say({ type: 'killSlot', key: KEY, slot: 0 });
    expect(taskManager.staleMessages).toBe(3);
    expect(stale).toEqual(['broadcast 3 1', 'slot 3 2', 'killSlot 3 1']);
    expect(peer.destroyed).toBe(false);
  });
});
