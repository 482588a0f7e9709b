/**
 * A job whose functions write down when they are opened and closed, for tests of how attempts end.
 *
 * Parameters: log (file), fail (the number whose map throws), block (the number whose map never returns), close ('throws').
 */
import { appendFileSync } from 'node:fs';
import {
  type Collector,
  DataGeneratorSource,
  defineJob,
  discardingSink,
  type JobDefinition,
  type ProcessContext,
  ProcessFunction,
  type RuntimeContext,
  WatermarkStrategy,
} from 'millstream';

class Recorder extends ProcessFunction<number, number> {
  private readonly log: string;
  private readonly closeThrows: boolean;
  private subtask = '';

  constructor(log: string, closeThrows: boolean) {
    super();
    this.log = log;
    this.closeThrows = closeThrows;
  }

  override open(context: RuntimeContext): void {
    this.subtask = `subtask ${context.subtaskIndex} of attempt ${context.attempt}`;
    appendFileSync(this.log, `open ${this.subtask}\n`);
  }

  override processElement(value: number, _context: ProcessContext, out: Collector<number>): void {
    out.collect(value);
  }

  // Not at once: the engine waits for it.
  override async close(): Promise<void> {
    await Promise.resolve();
    appendFileSync(this.log, `close ${this.subtask}\n`);
    if (this.closeThrows) throw new Error(`the connection of ${this.subtask} is gone`);
  }
}

const job: JobDefinition = defineJob(
  (env, { log = '', fail = '-1', block = '-1', close }) => {
    env
      .fromSource(
        new DataGeneratorSource((index) => index, Number.POSITIVE_INFINITY, { recordsPerSecond: 1000 }),
        WatermarkStrategy.noWatermarks<number>(),
        'numbers',
      )
      .process(() => new Recorder(log, close === 'throws'))
      .map((value) => {
        if (value === Number(fail)) throw new Error(`number ${value}`);
        if (value === Number(block)) {
          appendFileSync(log, 'block\n');
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        }
        return value;
      })
      .name('check')
      .sinkTo(discardingSink());
  },
  { name: 'closing' },
);

export default job;
