/**
 * Events that need a large broadcast state, which comes from a bounded input that is read once: what is lost of it is never there again.
 *
 * Parameters: records, rules (how many), results (directory), phase (a word in each result), until (a file that the last half of the events
 * waits for).
 */
import {
  type BroadcastContext,
  BroadcastProcessFunction,
  type Collector,
  DataGeneratorSource,
  defineJob,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  MapStateDescriptor,
  type ReadOnlyBroadcastContext,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

export interface Ruled {
  readonly index: number;
  /** Undefined where the rule was not there yet. */
  readonly rule: string | undefined;
  readonly phase: string;
}

interface Rule {
  readonly id: number;
  readonly text: string;
}

const RULES = new MapStateDescriptor<number, string>('rules');

class Apply extends BroadcastProcessFunction<number, Rule, Ruled> {
  private readonly rules: number;
  private readonly phase: string;

  constructor(rules: number, phase: string) {
    super();
    this.rules = rules;
    this.phase = phase;
  }

  override processElement(index: number, context: ReadOnlyBroadcastContext, out: Collector<Ruled>): void {
    out.collect({ index, rule: context.getBroadcastState(RULES).get(index % this.rules), phase: this.phase });
  }

  override processBroadcastElement(rule: Rule, context: BroadcastContext): void {
    context.getBroadcastState(RULES).put(rule.id, rule.text);
  }
}

const job: JobDefinition = defineJob(
  (env, { records = '10000', rules = '2000', results = 'results', phase = 'first', until }) => {
    const source = heldSource(new DataGeneratorSource((index) => index, Number(records)), Number(records) / 2, until);
    const texts = new DataGeneratorSource<Rule>((id) => ({ id, text: `rule ${id} of ${rules}, with a text` }), Number(rules));
    env
      .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'events')
      .uid('events')
      .connect(env.fromSource(texts, WatermarkStrategy.noWatermarks<Rule>(), 'rules').uid('rules').broadcast(RULES))
      .process(() => new Apply(Number(rules), phase))
      .uid('apply')
      .sinkTo(FileSink.forRowFormat(results, jsonLinesEncoder<Ruled>()))
      .uid('files');
  },
  { name: 'large-rules' },
);

export default job;
