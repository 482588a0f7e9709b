/** `millstream run`. */
import { runProgram } from './run-program.js';

export interface RunFlags {
  readonly parallelism?: number;
  readonly checkpointDir?: string;
  readonly checkpointInterval?: string;
  readonly from?: string;
  readonly allowNonRestoredState: boolean;
  readonly check: boolean;
  readonly define: Record<string, string>;
  readonly progress: boolean;
}

export async function runCommand(path: string, argv: string[], flags: RunFlags): Promise<void> {
  await runProgram(path, {
    argv,
    progress: flags.progress,
    options: {
      ...(flags.checkpointDir !== undefined && { 'execution.checkpointing.dir': flags.checkpointDir }),
      ...(flags.checkpointInterval !== undefined && { 'execution.checkpointing.interval': flags.checkpointInterval }),
      ...(flags.parallelism !== undefined && { 'parallelism.default': flags.parallelism }),
      ...flags.define,
    },
    run: {
      allowNonRestoredState: flags.allowNonRestoredState,
      checked: flags.check,
      ...(flags.from !== undefined && { from: flags.from }),
    },
  });
}
