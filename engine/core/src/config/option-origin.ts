/** Where the value of an option comes from, and how messages say so. */

/** Layers from the lowest to the highest; a value of a higher one wins. */
export const OPTION_LAYERS = ['default', 'file', 'environment', 'define', 'flag'] as const;

/** Where a value comes from. Lines and columns count from 1. */
export type OptionOrigin =
  | { readonly layer: 'default' }
  | { readonly layer: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly layer: 'environment'; readonly variable: string }
  /** `-D key=value`. */
  | { readonly layer: 'define' }
  /** A flag of the command that stands for one option, such as `--parallelism`. */
  | { readonly layer: 'flag'; readonly flag: string };

/** What a layer says of an option, not yet checked; or why it cannot be read. */
export type OptionEntry = { readonly key: string; readonly origin: OptionOrigin } & (
  | { readonly input: unknown }
  | { readonly problem: string }
);

/** "conf/config.yaml:3:5", "environment variable MILLSTREAM_REST__PORT", "-D rest.port". */
export function describeOrigin(origin: OptionOrigin, key: string): string {
  switch (origin.layer) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.file}:${origin.line}:${origin.column}`;
    case 'environment':
      return `environment variable ${origin.variable}`;
    case 'define':
      return `-D ${key}`;
    case 'flag':
      return `flag ${origin.flag}`;
  }
}
