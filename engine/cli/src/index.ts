/** `@millstream/cli`: what the command does, for programs. */
export { type Bundle, bundleProgram } from './bundle.js';
export { createProgress, type Progress, type ProgressLevel, type ProgressOptions } from './progress.js';
export { type ProgramEnd, type ProgramRun, type RunProgramOptions, runProgram } from './run-program.js';
