/**
 * Copies the lines of files, one by one: each subtask is a failover region of its own, and asks for a file when it has read one.
 *
 * Parameters: input (files, separated by commas), results (directory), until (a file that lines wait for), free (how many do not).
 */
import { defineJob, FileSink, FileSource, type JobDefinition, jsonLines, jsonLinesEncoder, WatermarkStrategy } from 'millstream';
import { heldSource } from './held-source.js';

export interface Line {
  readonly file: number;
  readonly line: number;
}

const job: JobDefinition = defineJob(
  (env, { input = '', results = '', until, free = '0' }) => {
    const files = FileSource.forRecordFormat(jsonLines<Line>(), input.split(','));
    env
      .fromSource(heldSource(files, Number(free), until), WatermarkStrategy.noWatermarks<Line>(), 'lines')
      .uid('lines')
      .map((line) => line)
      .sinkTo(FileSink.forRowFormat(results, jsonLinesEncoder<Line>()))
      .uid('copies');
  },
  { name: 'file-copies' },
);

export default job;
