import { afterEach, describe, expect, it, vi } from 'vitest';
import type { JobProgram } from '../plan/plan.js';
import { buildDefinedJob, defineJob, evaluateModule } from './define-job.js';
import { currentEvaluation, type EvaluationContext, runInEvaluation } from './evaluation.js';
import { type JobExecutor, setJobExecutor } from './job-executor.js';
import { StreamExecutionEnvironment } from './stream-execution-environment.js';

const result = { jobName: 'job', run: 'run-1', durationMs: 1 };

function executorOf(collected: unknown[] = []): JobExecutor & { readonly programs: JobProgram[] } {
  const programs: JobProgram[] = [];
  return {
    programs,
    execute: async (program) => {
      programs.push(program);
      return result;
    },
    collect: async (program) => {
      programs.push(program);
      return collected;
    },
  };
}

function contextOf(more: Partial<EvaluationContext> = {}): EvaluationContext {
  return { mode: 'client', parameters: {}, options: {}, ...more };
}

function environment(): StreamExecutionEnvironment {
  const env = StreamExecutionEnvironment.getExecutionEnvironment();
  env.fromElements(1, 2).print();
  return env;
}

afterEach(() => {
  expect(currentEvaluation()).toBeUndefined();
});

describe('a program of its own', () => {
  it('runs with the default executor', async () => {
    const executor = executorOf();
    setJobExecutor(executor);
    await expect(environment().execute('mine')).resolves.toBe(result);
    expect(executor.programs[0]?.plan.jobName).toBe('mine');
  });

  it('executes an environment once, and leaves it as it is then', async () => {
    setJobExecutor(executorOf());
    const env = environment();
    const stream = env.fromElements(3);
    await env.execute('once');
    const refusal = expect.objectContaining({ code: 'ALREADY_EXECUTED' });
    await expect(env.execute()).rejects.toThrow(refusal);
    expect(() => env.fromElements(1)).toThrow(/Cannot add operator "collection": job "once" has been executed already/);
    expect(() => stream.uid('x')).toThrow(refusal);
    expect(() => env.setParallelism(2)).toThrow(refusal);
  });

  it('collects a stream through a node of one subtask', async () => {
    const executor = executorOf([2, 4]);
    setJobExecutor(executor);
    const env = StreamExecutionEnvironment.getExecutionEnvironment();
    const doubled = env.fromElements(1, 2).map((n) => n * 2);
    await expect(doubled.executeAndCollect('collected', 10)).resolves.toEqual([2, 4]);
    const node = executor.programs[0]?.plan.nodes.at(-1);
    expect(node).toMatchObject({ kind: 'collect', parallelism: 1, config: { limit: 10 } });
    expect(executor.programs[0]?.implementations.has(node?.id as string)).toBe(false);
  });

  it('takes its name from execute, else from the option', async () => {
    const executor = executorOf();
    setJobExecutor(executor);
    await environment().configure({ 'pipeline.name': 'by option' }).execute();
    await environment().execute();
    expect(executor.programs.map((program) => program.plan.jobName)).toEqual(['by option', 'Millstream job']);
  });
});

describe('options', () => {
  it('are set by methods and by key, as values', async () => {
    const executor = executorOf();
    setJobExecutor(executor);
    const env = environment();
    env.setParallelism(3).setMaxParallelism(64).setBufferTimeout(7).disableOperatorChaining().enableCheckpointing(500);
    env.configure({ 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '10 s' });
    env
      .getCheckpointConfig()
      .setCheckpointTimeout(60_000)
      .setMinPauseBetweenCheckpoints(5)
      .setMaxConcurrentCheckpoints(1)
      .setExternalizedCheckpointRetention('RETAIN_ON_CANCELLATION')
      .setTolerableCheckpointFailureNumber(2)
      .setCheckpointStorage('/tmp/c');
    await env.execute();
    expect(executor.programs[0]?.plan.options).toEqual({
      'parallelism.default': 3,
      'pipeline.max-parallelism': 64,
      'execution.buffer-timeout.interval': 7,
      'pipeline.operator-chaining.enabled': false,
      'execution.checkpointing.interval': 500,
      'execution.checkpointing.mode': 'EXACTLY_ONCE',
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.delay': 10_000,
      'execution.checkpointing.timeout': 60_000,
      'execution.checkpointing.min-pause': 5,
      'execution.checkpointing.max-concurrent-checkpoints': 1,
      'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
      'execution.checkpointing.tolerable-failed-checkpoints': 2,
      'execution.checkpointing.dir': '/tmp/c',
    });
  });

  it('are refused where they are set', () => {
    expect(() => environment().setParallelism(0)).toThrow(/option "parallelism.default" to 0/);
    expect(() => environment().getCheckpointConfig().setMaxConcurrentCheckpoints(2)).toThrow(
      /max-concurrent-checkpoints" to 2: it must be 1/,
    );
    expect(() => environment().configure({ color: 1 } as never)).toThrow(/no such option/);
  });

  it('of the evaluation override the program’s', async () => {
    const program = await evaluateModule(contextOf({ mode: 'slot', options: { 'parallelism.default': '4' } }), async () => {
      await environment().setParallelism(2).execute();
      return {};
    });
    expect(program.plan.options).toEqual({ 'parallelism.default': 4 });
  });

  it('of the cluster hold where neither the program nor the evaluation says anything', async () => {
    const defaults = { 'parallelism.default': 8, 'execution.checkpointing.interval': '1 s', 'execution.checkpointing.dir': '/tmp/cluster' };
    const options = { 'execution.checkpointing.interval': 500 };
    const program = await evaluateModule(contextOf({ mode: 'slot', defaults, options }), async () => {
      await environment().setParallelism(2).execute();
      return {};
    });
    expect(program.plan.options).toEqual({
      'parallelism.default': 2,
      'execution.checkpointing.interval': 500,
      'execution.checkpointing.dir': '/tmp/cluster',
    });
  });
});

describe('an evaluation', () => {
  const script = async (): Promise<{ readonly default?: unknown }> => {
    await environment().execute('script');
    throw new Error('never reached in a slot');
  };

  it.each(['slot', 'plan-only'] as const)('in mode %s ends at execute', async (mode) => {
    const program = await evaluateModule(contextOf({ mode, parameters: { day: 'monday' } }), script);
    expect(program.plan).toMatchObject({ jobName: 'script', parameters: { day: 'monday' } });
    expect(program.implementations.size).toBe(2);
  });

  it('builds the same graph each time', async () => {
    const first = await evaluateModule(contextOf({ mode: 'plan-only' }), script);
    const second = await evaluateModule(contextOf({ mode: 'slot' }), script);
    expect(second.plan).toEqual(first.plan);
  });

  it('in mode client reports the program and runs it with its executor', async () => {
    const executor = executorOf();
    const onProgram = vi.fn();
    await expect(runInEvaluation(contextOf({ executor, onProgram }), () => environment().execute('client'))).resolves.toBe(result);
    expect(onProgram).toHaveBeenCalledExactlyOnceWith(executor.programs[0]);
  });

  it('has one program', async () => {
    const twice = async (): Promise<void> => {
      await environment().execute('first');
      await environment().execute('second');
    };
    const refusal = expect.objectContaining({ code: 'ALREADY_EXECUTED', message: expect.stringContaining('Cannot execute job "second"') });
    await expect(runInEvaluation(contextOf({ executor: executorOf() }), twice)).rejects.toThrow(refusal);
  });

  it('is the only one of its process', async () => {
    await runInEvaluation(contextOf(), async () => {
      await expect(runInEvaluation(contextOf(), () => 1)).rejects.toThrow(/while another is evaluated/);
    });
  });

  it('passes on what the program throws, and is over then', async () => {
    const failing = () => Promise.reject(new Error('syntax'));
    await expect(evaluateModule(contextOf({ mode: 'slot' }), failing)).rejects.toThrow('syntax');
  });

  it('of a program without job is refused', async () => {
    await expect(evaluateModule(contextOf({ mode: 'slot' }), async () => ({ default: {} }))).rejects.toThrow(
      expect.objectContaining({ code: 'INVALID_PLAN', message: expect.stringContaining('export default defineJob') }),
    );
  });
});

describe('a defined job', () => {
  const definition = defineJob(
    (env, params) => {
      expect(Object.isFrozen(params)).toBe(true);
      env.fromSequence(0, Number(params.count)).print();
    },
    { name: 'defined' },
  );

  it('is the default export of its module', async () => {
    const program = await evaluateModule(contextOf({ mode: 'slot', parameters: { count: '5' } }), async () => ({ default: definition }));
    expect(program.plan).toMatchObject({ jobName: 'defined', parameters: { count: '5' } });
  });

  it('may be asynchronous', async () => {
    const later = defineJob(async (env) => {
      await Promise.resolve();
      env.fromElements(1).print();
    });
    const program = await buildDefinedJob(later, contextOf());
    expect(program.plan.nodes).toHaveLength(2);
    expect(program.plan.jobName).toBe('Millstream job');
  });

  it('does not execute by itself', async () => {
    const executing = defineJob(async (env) => {
      env.fromElements(1).print();
      await env.execute();
    });
    const collecting = defineJob(async (env) => {
      await env.fromElements(1).executeAndCollect();
    });
    const refusal = expect.objectContaining({ code: 'ALREADY_EXECUTED', message: expect.stringContaining('inside defineJob') });
    await expect(buildDefinedJob(executing, contextOf())).rejects.toThrow(refusal);
    await expect(buildDefinedJob(collecting, contextOf())).rejects.toThrow(refusal);
  });
});
