/**
 * The heap backend against a model that copies everything at the barrier: random operations on all kinds of state, on 1 to 3 subtasks,
 * between the slices of snapshots that are confirmed, aborted, restored at other parallelisms and gone on from. Every finished chain
 * must restore to exactly what the model held at its barrier.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schema } from '../../codec/schema.js';
import { keyGroupOf } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import type { KeyedSnapshotFile } from '../backend.js';
import {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../descriptors.js';
import { keyGroupRangeOf } from '../key-group.js';
import { UndoLog } from '../undo-log.js';
import { CollectedSnapshot, contentOf, idOf, windowContentOf } from './heap.test.support.js';
import { HeapStateBackend } from './heap-state-backend.js';

const MAX_PARALLELISM = 8;
const KEYS: readonly Key[] = [
  ...[0, -0, 1, 2, 3, 4, 5, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 32 + 1, 1.5, Number.NaN, Number.MAX_VALUE, 5e-324],
  ...[
    '1',
    '',
    '\u0000',
    '\u0000t',
    'a key of more than thirteen units',
    '\ud800 lone',
    'ключ, который длиннее',
    true,
    false,
    1n,
    -(2n ** 70n),
  ],
  ...[[1, 'a'], ['1', 'a'], [1, 'a', Number.NaN], [], [true, 1n, '\u0000']],
];
const NAMESPACES = [0, 60_000, -1.5, 2 ** 40];

/** Contents of several forms, as joins and mixed states have them. */
function contentOfForm(a: number, b: number): unknown {
  const elements = Array.from({ length: a % 4 }, (_, n): unknown => (b === 3 ? `element ${n}` : { n, at: a / 3 }));
  return [{ left: elements, right: [a] }, elements, `text ${a}`, a / 3, { total: a, left: elements }][b];
}

interface Counter {
  count: number;
  sum: number;
}
interface Box {
  n: number;
  tags: string[];
}

const counterSchema = schema({ sum: 'float64', count: 'int32' });
const boxState = new ValueStateDescriptor<Box>('box');
const plainState = new ValueStateDescriptor<number>('plain');
const counterState = new ValueStateDescriptor<Counter>('counter', { schema: counterSchema });
const flagState = new ReducingStateDescriptor<{ on: boolean; n: number }>('flag', (a, b) => ({ on: a.on !== b.on, n: a.n + b.n }), {
  schema: schema({ on: 'boolean', n: 'float64' }),
});
const boxSum = new AggregatingStateDescriptor<number, Box, number>('box-sum', {
  createAccumulator: () => ({ n: 0, tags: [] }),
  add(value, accumulator) {
    accumulator.n += value;
    return accumulator;
  },
  getResult: (accumulator) => accumulator.n,
});
const mixedState = new ValueStateDescriptor<unknown>('mixed');
const listState = new ListStateDescriptor<Box>('list');
const mapState = new MapStateDescriptor<Key, Box | number>('map');

/** One subtask: a backend with all its states declared. */
function subtask(parallelism: number, index: number, { generateCode, isUndoable }: Mode, chains?: KeyedSnapshotFile[][]) {
  const undo = isUndoable ? new UndoLog() : undefined;
  const backend = new HeapStateBackend({
    keyGroupRange: keyGroupRangeOf(MAX_PARALLELISM, parallelism, index),
    maxParallelism: MAX_PARALLELISM,
    baseEvery: 3,
    generateCode,
    undo,
  });
  // Every other subtask declares its states after the restore.
  if (chains !== undefined && index % 2 === 1) backend.restore(chains);
  const states = {
    backend,
    undo,
    box: backend.value(boxState),
    plain: backend.value(plainState),
    mixed: backend.value(mixedState),
    joined: backend.windows<{ left: unknown[]; right: unknown[] }>('joined'),
    counter: backend.value(counterState),
    flag: backend.reducing(flagState),
    sum: backend.aggregating(boxSum),
    list: backend.list(listState),
    map: backend.map(mapState),
    windows: backend.windows<Box>('windows'),
    timers: backend.timers('timers'),
  };
  if (chains !== undefined && index % 2 === 0) backend.restore(chains);
  return states;
}

interface Mode {
  readonly generateCode: boolean;
  /** Operations belong to records, some of which throw and are taken back. */
  readonly isUndoable: boolean;
}

type Subtask = ReturnType<typeof subtask>;

/** What a naive implementation holds: everything by name and key, in plain records. */
interface Model {
  box: Record<string, Box>;
  plain: Record<string, number>;
  mixed: Record<string, unknown>;
  joined: Record<string, { left: unknown[]; right: unknown[] }>;
  counter: Record<string, Counter>;
  flag: Record<string, { on: boolean; n: number }>;
  sum: Record<string, number>;
  list: Record<string, Box[]>;
  map: Record<string, Record<string, Box | number>>;
  windows: Record<string, Box>;
  timers: Record<string, number>;
}

const emptyModel = (): Model => ({
  box: {},
  plain: {},
  mixed: {},
  joined: {},
  counter: {},
  flag: {},
  sum: {},
  list: {},
  map: {},
  windows: {},
  timers: {},
});

/** Empties the timers; only for backends that are not used afterwards. */
function dump(subtasks: readonly Subtask[]): Model {
  const model = emptyModel();
  for (const task of subtasks) {
    const { backend } = task;
    Object.assign(
      model.box,
      contentOf(backend, boxState as never, () => task.box.value()),
    );
    Object.assign(
      model.plain,
      contentOf(backend, plainState as never, () => task.plain.value()),
    );
    Object.assign(
      model.mixed,
      contentOf(backend, mixedState as never, () => task.mixed.value()),
    );
    Object.assign(model.joined, windowContentOf(task.joined as never));
    Object.assign(
      model.counter,
      contentOf(backend, counterState as never, () => task.counter.value()),
    );
    Object.assign(
      model.flag,
      contentOf(backend, flagState as never, () => task.flag.get()),
    );
    Object.assign(
      model.sum,
      contentOf(backend, boxSum as never, () => task.sum.get()),
    );
    Object.assign(
      model.list,
      contentOf(backend, listState as never, () => task.list.get()),
    );
    Object.assign(
      model.map,
      contentOf(backend, mapState as never, () => Object.fromEntries([...task.map.entries()].map(([key, value]) => [idOf(key), value]))),
    );
    Object.assign(model.windows, windowContentOf(task.windows as never));
    for (let last = Number.NEGATIVE_INFINITY; task.timers.size > 0; last = task.timers.polledTime) {
      const key = task.timers.poll(Number.POSITIVE_INFINITY) as Key;
      expect(task.timers.polledTime).toBeGreaterThanOrEqual(last);
      model.timers[`${task.timers.polledTime} ${idOf(key)}`] = task.timers.polledTime;
    }
  }
  return model;
}

interface Finished {
  readonly epoch: number;
  readonly chains: KeyedSnapshotFile[][];
  readonly model: Model;
}

class Run {
  model = emptyModel();
  subtasks: Subtask[];
  private readonly mode: Mode;
  private epoch = 0;
  private running: { epoch: number; completed: Finished | undefined; model: Model; snapshots: CollectedSnapshot[] } | undefined;
  private finished: Finished | undefined;
  private completed: Finished | undefined;

  constructor(parallelism: number, mode: Mode) {
    this.mode = mode;
    this.subtasks = this.deploy(parallelism);
  }

  private deploy(parallelism: number, chains?: KeyedSnapshotFile[][]): Subtask[] {
    return Array.from({ length: parallelism }, (_, index) => subtask(parallelism, index, this.mode, chains));
  }

  private at(key: Key): Subtask {
    const group = keyGroupOf(key, MAX_PARALLELISM);
    const task = this.subtasks.find(
      ({ backend: { keyGroupRange } }) => group >= keyGroupRange.start && group <= keyGroupRange.end,
    ) as Subtask;
    task.backend.setCurrentKey(key);
    return task;
  }

  /** The operations; `a` and `b` are small random numbers. */
  readonly operations: Record<string, (key: Key, a: number, b: number) => void> = {
    boxUpdate: (key, a) => {
      this.at(key).box.update({ n: a, tags: [`t${a}`] });
      this.model.box[idOf(key)] = { n: a, tags: [`t${a}`] };
    },
    boxMutate: (key, a) => {
      const value = this.at(key).box.value();
      expect(value).toEqual(this.model.box[idOf(key)]);
      if (value === undefined) return;
      value.n = a;
      value.tags.push('mutated');
      const expected = this.model.box[idOf(key)] as Box;
      expected.n = a;
      expected.tags.push('mutated');
    },
    boxClear: (key) => {
      this.at(key).box.clear();
      delete this.model.box[idOf(key)];
    },
    plain: (key, a, b) => {
      const { plain } = this.at(key);
      expect(plain.value()).toEqual(this.model.plain[idOf(key)]);
      if (b === 0) {
        plain.clear();
        delete this.model.plain[idOf(key)];
      } else {
        plain.update(a / b);
        this.model.plain[idOf(key)] = a / b;
      }
    },
    mixed: (key, a, b) => {
      const { mixed } = this.at(key);
      expect(mixed.value()).toEqual(this.model.mixed[idOf(key)]);
      mixed.update(contentOfForm(a, b));
      this.model.mixed[idOf(key)] = contentOfForm(a, b);
    },
    joined: (key, a, b) => {
      const namespace = NAMESPACES[b % NAMESPACES.length] as number;
      const id = `${namespace} ${idOf(key)}`;
      const { joined } = this.at(key);
      const side = a % 2 === 0 ? 'left' : 'right';
      const entry = joined.entry(namespace, key) ?? joined.insert(namespace, key, { left: [], right: [] });
      entry.value[side].push(contentOfForm(a, b));
      const expected = this.model.joined[id] ?? { left: [], right: [] };
      expected[side].push(contentOfForm(a, b));
      this.model.joined[id] = expected;
      expect(entry.value).toEqual(expected);
    },
    joinedDrop: (_key, _a, b) => {
      const namespace = NAMESPACES[b % NAMESPACES.length] as number;
      for (const { joined } of this.subtasks) joined.drop(namespace);
      for (const id of Object.keys(this.model.joined)) if (id.startsWith(`${namespace} `)) delete this.model.joined[id];
    },
    counterUpdate: (key, a, b) => {
      const { counter } = this.at(key);
      const current = counter.value();
      expect(current).toEqual(this.model.counter[idOf(key)]);
      const next = { count: (current?.count ?? 0) + b, sum: (current?.sum ?? 0) + a / 3 };
      counter.update(next);
      this.model.counter[idOf(key)] = next;
    },
    counterClear: (key) => {
      this.at(key).counter.clear();
      delete this.model.counter[idOf(key)];
    },
    flag: (key, a, b) => {
      const { flag } = this.at(key);
      const current = this.model.flag[idOf(key)];
      expect(flag.get()).toEqual(current);
      if (b === 0) {
        flag.clear();
        delete this.model.flag[idOf(key)];
      } else {
        const on = a % 2 === 0;
        flag.add({ on, n: a });
        this.model.flag[idOf(key)] = current === undefined ? { on, n: a } : { on: current.on !== on, n: current.n + a };
      }
    },
    sum: (key, a, b) => {
      const { sum } = this.at(key);
      if (b === 0) {
        sum.clear();
        delete this.model.sum[idOf(key)];
      } else {
        sum.add(a);
        this.model.sum[idOf(key)] = (this.model.sum[idOf(key)] ?? 0) + a;
      }
      expect(sum.get()).toEqual(this.model.sum[idOf(key)]);
    },
    listAdd: (key, a) => {
      this.at(key).list.add({ n: a, tags: [] });
      this.model.list[idOf(key)] = [...(this.model.list[idOf(key)] ?? []), { n: a, tags: [] }];
    },
    listMutate: (key, a) => {
      const { list } = this.at(key);
      expect(list.get()).toEqual(this.model.list[idOf(key)] ?? []);
      const first = list.get()[0];
      if (first === undefined) return;
      first.n = a;
      (this.model.list[idOf(key)] as [Box])[0].n = a;
    },
    listUpdate: (key, a, b) => {
      const elements = (): Box[] => Array.from({ length: b % 3 }, () => ({ n: a, tags: [] }));
      this.at(key).list.update(elements());
      if (b % 3 === 0) delete this.model.list[idOf(key)];
      else this.model.list[idOf(key)] = elements();
    },
    mapPut: (key, a, b) => {
      const mapKey = KEYS[(a * 7 + b) % KEYS.length] as Key;
      const value = (): Box | number => (b % 2 === 0 ? { n: a, tags: [] } : a);
      this.at(key).map.put(mapKey, value());
      const content = this.model.map[idOf(key)] ?? {};
      content[idOf(mapKey)] = value();
      this.model.map[idOf(key)] = content;
    },
    mapMutate: (key, a) => {
      const { map } = this.at(key);
      const content = this.model.map[idOf(key)] ?? {};
      expect(map.isEmpty()).toBe(Object.keys(content).length === 0);
      expect(new Set([...map.keys()].map(idOf))).toEqual(new Set(Object.keys(content)));
      for (const mapKey of [...map.keys()]) {
        expect(map.contains(mapKey)).toBe(true);
        const value = map.get(mapKey);
        expect(value).toEqual(content[idOf(mapKey)]);
        if (typeof value !== 'object') continue;
        value.n += a;
        (content[idOf(mapKey)] as Box).n += a;
        break;
      }
    },
    mapRemove: (key, a, b) => {
      const { map } = this.at(key);
      const content = this.model.map[idOf(key)];
      if (content === undefined) return;
      if (b === 0) map.clear();
      const mapKey = [...map.keys()][a % 4];
      if (mapKey !== undefined) map.remove(mapKey);
      if (mapKey !== undefined) delete content[idOf(mapKey)];
      if (b === 0 || Object.keys(content).length === 0) delete this.model.map[idOf(key)];
    },
    window: (key, a, b) => {
      const namespace = NAMESPACES[b % NAMESPACES.length] as number;
      const id = `${namespace} ${idOf(key)}`;
      const { windows } = this.at(key);
      const entry = windows.entry(namespace, key);
      expect(entry?.value).toEqual(this.model.windows[id]);
      if (entry === undefined) windows.insert(namespace, key, { n: a, tags: [] });
      else if (a % 2 === 0) entry.value.n += a;
      else entry.value = { n: a, tags: ['replaced'] };
      const expected = this.model.windows[id];
      if (expected === undefined) this.model.windows[id] = { n: a, tags: [] };
      else if (a % 2 === 0) expected.n += a;
      else this.model.windows[id] = { n: a, tags: ['replaced'] };
    },
    windowRemove: (key, _a, b) => {
      const namespace = NAMESPACES[b % NAMESPACES.length] as number;
      this.at(key).windows.remove(namespace, key);
      delete this.model.windows[`${namespace} ${idOf(key)}`];
    },
    windowDrop: (_key, _a, b) => {
      const namespace = NAMESPACES[b % NAMESPACES.length] as number;
      for (const { windows } of this.subtasks) windows.drop(namespace);
      for (const id of Object.keys(this.model.windows)) if (id.startsWith(`${namespace} `)) delete this.model.windows[id];
    },
    windowFire: (_key, a, b) => {
      const namespace = NAMESPACES[b % NAMESPACES.length] as number;
      for (const { windows } of this.subtasks) {
        let count = windows.count(namespace);
        for (const entry of windows.entries(namespace)) {
          const { key } = entry;
          count--;
          const id = `${namespace} ${idOf(key)}`;
          if ((this.model.windows[id] as Box).n % 2 === a % 2) {
            windows.remove(namespace, key);
            delete this.model.windows[id];
          } else {
            entry.value.tags.push('fired');
            (this.model.windows[id] as Box).tags.push('fired');
          }
        }
        expect(count).toBe(0);
      }
    },
    timerRegister: (key, a, b) => {
      const time = b % 2 === 0 ? a * 1000 : 5000;
      const id = `${time} ${idOf(key)}`;
      expect(this.at(key).timers.register(time, key)).toBe(!(id in this.model.timers));
      this.model.timers[id] = time;
    },
    timerDelete: (key, a, b) => {
      const time = b % 2 === 0 ? a * 1000 : 5000;
      const id = `${time} ${idOf(key)}`;
      expect(this.at(key).timers.delete(time, key)).toBe(id in this.model.timers);
      delete this.model.timers[id];
    },
    timerPoll: (_key, a) => {
      for (const { timers } of this.subtasks) {
        const next = timers.nextTime();
        const key = timers.poll(a * 1000);
        expect(key === undefined).toBe(next > a * 1000);
        if (key === undefined) continue;
        expect(timers.polledTime).toBe(next);
        delete this.model.timers[`${next} ${idOf(key)}`];
      }
      expect(this.subtasks.reduce((sum, { timers }) => sum + timers.size, 0)).toBe(Object.keys(this.model.timers).length);
    },
    start: (_key, _a, b) => {
      if (this.running !== undefined) return;
      this.epoch += 1 + (b % 2);
      const { epoch } = this;
      const completed = this.completed;
      const snapshots = this.subtasks.map(({ backend }) => new CollectedSnapshot(backend, epoch, completed?.epoch ?? 0));
      this.running = { epoch, completed, model: structuredClone(this.model), snapshots };
    },
    step: (_key, a) => {
      for (const { snapshot } of this.running?.snapshots ?? []) snapshot.step(1 + (a % 7));
    },
    finish: (_key, a) => this.finish(1 + (a % 9)),
    confirm: (_key, _a, b) => {
      if (this.finished === undefined) return;
      this.completed = this.finished;
      this.finished = undefined;
      // The notification may be lost: the next trigger tells, too.
      if (b > 0) for (const { backend } of this.subtasks) backend.confirm(this.completed.epoch);
    },
    abort: () => {
      const epoch = this.running?.epoch ?? this.finished?.epoch;
      if (epoch === undefined) return;
      for (const { backend } of this.subtasks) backend.abort(epoch);
      this.running = undefined;
      this.finished = undefined;
    },
    restore: (_key, a) => {
      if (this.completed === undefined) return;
      this.running = undefined;
      this.finished = undefined;
      this.model = structuredClone(this.completed.model);
      this.subtasks = this.deploy(1 + (a % 3), this.completed.chains);
    },
  };

  /** Runs the operations of one record; if it throws after them, nothing of it may be left. */
  record(commands: readonly Command[], throws: boolean): void {
    const before = structuredClone(this.model);
    for (const { undo } of this.subtasks) undo?.begin();
    for (const { name, key, a, b } of commands) this.operations[name]?.(KEYS[key] as Key, a, b);
    for (const { undo } of this.subtasks) {
      if (throws) undo?.rollBack();
      else undo?.keep();
    }
    if (throws) this.model = before;
  }

  private finish(rows: number): void {
    if (this.running === undefined) return;
    const { epoch, completed, model, snapshots } = this.running;
    this.running = undefined;
    const chains = snapshots.map((snapshot, index) => {
      const file = snapshot.finish(rows);
      expect(file.bytes.length).toBe(file.info.length);
      if (file.info.kind === 'base') return [file];
      return [...((completed as Finished).chains[index] as KeyedSnapshotFile[]), file];
    });
    for (const chain of chains) expect(chain.length).toBeLessThanOrEqual(4);
    this.finished = { epoch, chains, model };
    expect(dump(this.deploy(1 + (rows % 4), chains))).toEqual(model);
  }

  end(): void {
    this.finish(3);
    expect(this.subtasks.reduce((sum, { backend }) => sum + backend.size().entries, 0)).toBe(
      Object.values(this.model).reduce((sum, state: object) => sum + Object.keys(state).length, 0),
    );
    expect(dump(this.subtasks)).toEqual(this.model);
  }
}

const WEIGHTS: Record<string, number> = {
  step: 6,
  start: 4,
  finish: 4,
  confirm: 4,
  restore: 1,
  window: 5,
  joined: 4,
  timerRegister: 3,
  counterUpdate: 3,
};
const operation = fc.oneof(
  ...Object.keys(new Run(1, { generateCode: true, isUndoable: false }).operations).map((name) => ({
    weight: WEIGHTS[name] ?? 2,
    arbitrary: fc.constant(name),
  })),
);
const command = fc.record({ name: operation, key: fc.nat(KEYS.length - 1), a: fc.nat(12), b: fc.nat(4) });
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;
/** What is done between records. Timers fire there, too. */
const BETWEEN_RECORDS: ReadonlySet<string> = new Set(['start', 'step', 'finish', 'confirm', 'abort', 'restore', 'timerPoll']);
const recordOf = fc.record({ commands: fc.array(command, { maxLength: 6 }), keys: fc.nat(2), throws: fc.boolean() });

describe('heap backend against a model', () => {
  for (const generateCode of [true, false]) {
    it(`restores what was there at the barrier, ${generateCode ? 'generated' : 'interpreted'} rows`, () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 3 }),
          fc.array(command, { minLength: 20, maxLength: 250, size: 'max' }),
          (parallelism, commands) => {
            const run = new Run(parallelism, { generateCode, isUndoable: false });
            for (const { name, key, a, b } of commands) run.operations[name]?.(KEYS[key] as Key, a, b);
            run.end();
          },
        ),
        { seed: 20260101, numRuns: 150 },
      );
    });
  }

  for (const generateCode of [true, false]) {
    it(`takes back what records did that threw, ${generateCode ? 'generated' : 'interpreted'} rows`, () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 3 }),
          fc.array(recordOf, { minLength: 20, maxLength: 100, size: 'max' }),
          (parallelism, records) => {
            const run = new Run(parallelism, { generateCode, isUndoable: true });
            for (const { commands, keys, throws } of records) {
              // Most records are about one key or two, and come to the same state again.
              const narrowed = commands.map((each) => ({ ...each, key: keys === 2 ? each.key : (each.key % (keys + 1)) + 4 }));
              const between = narrowed.filter(({ name }) => BETWEEN_RECORDS.has(name));
              run.record(
                narrowed.filter(({ name }) => !BETWEEN_RECORDS.has(name)),
                throws,
              );
              for (const { name, key, a, b } of between) run.operations[name]?.(KEYS[key] as Key, a, b);
            }
            run.end();
          },
        ),
        { seed: 20260102, numRuns: 150 },
      );
    });
  }
});
