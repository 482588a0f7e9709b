/** Exit codes of the command; those of signals are the shell's. */

/** The job failed. */
export const FAILURE_EXIT_CODE = 1;
/** The command cannot be carried out as it was written. */
export const USAGE_EXIT_CODE = 2;
/** Nobody reads the output any more: what the shell says of a process that SIGPIPE ended. */
export const CLOSED_PIPE_EXIT_CODE = 141;
