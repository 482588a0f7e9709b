import { describe, expect, it } from 'vitest';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import type { OperatorSnapshotMetadata } from '../checkpoint/metadata.js';
import type { RestorePoint } from '../checkpoint/restore-point.js';
import { EMPTY_OPERATOR_SNAPSHOT } from '../checkpoint/snapshot.js';
import { discardingSink } from '../connector/print-sink.js';
import type { Plan } from '../plan/plan.js';
import { restoredJobGraph } from './restored-job-graph.js';

/** Two keyed operators, 'a' and 'b', and a stateless one. */
function planOf(options: Readonly<Record<string, unknown>>, maxOfB?: number): Plan {
  const job = new JobBuilder(streams, undefined);
  const env = new StreamExecutionEnvironment(job);
  env.configure(options as never);
  const numbers = env.fromElements(1, 2, 3).map((value) => value);
  numbers
    .keyBy((value) => value)
    .reduce((value) => value)
    .uid('a')
    .sinkTo(discardingSink());
  const b = numbers
    .keyBy((value) => value)
    .reduce((value) => value)
    .uid('b');
  if (maxOfB !== undefined) b.setMaxParallelism(maxOfB);
  b.sinkTo(discardingSink());
  return job.build('restored').plan;
}

function storedOf(plan: Plan, stored: Readonly<Record<string, number>>): RestorePoint {
  const operators = Object.entries(stored).map(([uid, maxParallelism]): OperatorSnapshotMetadata => {
    const keyGroupWatermarks = [{ start: 0, end: maxParallelism - 1, watermark: 5 }];
    const operatorId = plan.nodes.find((node) => node.uid === uid)?.id as string;
    const subtasks = [{ ...EMPTY_OPERATOR_SNAPSHOT, keyGroupWatermarks }];
    return { operatorId, uid, name: uid, parallelism: 1, maxParallelism, enumeratorState: undefined, subtasks };
  });
  return { path: '/job/chk-3', metadata: { operators } as unknown as RestorePoint['metadata'], previous: undefined, committed: false };
}

function restored(plan: Plan, stored: Readonly<Record<string, number>>): Record<string, number> {
  const { vertices } = restoredJobGraph(plan, storedOf(plan, stored));
  const heads = vertices.flatMap(({ chain, maxParallelism }) => chain.map(({ node }) => [node.uid ?? '', maxParallelism] as const));
  return Object.fromEntries(heads.filter(([uid]) => uid !== ''));
}

describe('the graph of a restored job', () => {
  it('has the stored number of key groups of each operator where the program says nothing', () => {
    expect(restored(planOf({}), { a: 64, b: 32 })).toMatchObject({ a: 64, b: 32 });
  });

  it('has the default where nothing is stored, and what operators set themselves', () => {
    expect(restored(planOf({}), { a: 64 })).toMatchObject({ a: 64, b: 128 });
    expect(restored(planOf({ 'pipeline.max-parallelism': 64 }, 16), { a: 64, b: 32 })).toMatchObject({ a: 64, b: 16 });
  });

  it('is refused where the option says another number; the message has both', () => {
    const plan = planOf({ 'pipeline.max-parallelism': 256 });
    expect(() => restoredJobGraph(plan, storedOf(plan, { a: 64 }))).toThrow(
      /with pipeline\.max-parallelism 256: its state in '\/job\/chk-3' is divided into 64 key groups.*Set pipeline\.max-parallelism to 64, or leave it out\./,
    );
  });
});
