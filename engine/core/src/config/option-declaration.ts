/** What a row of the table of options says. Plain data, so that documentation can be made from it. */

type Bounds = { readonly minimum?: number; readonly maximum?: number };

/** Who reads an option: `cluster` stands for several of the processes, `client` for the command and for programs that submit jobs. */
export type OptionScope = 'job' | 'jobmanager' | 'taskmanager' | 'cluster' | 'client';

interface OptionFacts {
  readonly doc: string;
  readonly scope: OptionScope;
  /** No code reads it yet: it cannot be set, and nothing mentions it. Its default can be read. */
  readonly pending?: true;
  /** Why no other values are allowed, and what to do instead: ends the error, after a colon and before a full stop. */
  readonly advice?: string;
  /** Its value is never printed, and never taken from the command line, where everybody on the machine could read it. */
  readonly secret?: true;
}

/** A row. Durations and memory have their default as text; without a default the option is not set. */
export type OptionDeclaration = OptionFacts &
  (
    | ({ readonly type: 'integer' | 'number'; readonly default?: number } & Bounds)
    /** In ms, `minimum` too. `disabled`: -1 is allowed. */
    | { readonly type: 'duration'; readonly default?: string; readonly minimum?: number; readonly disabled?: true }
    | { readonly type: 'memory'; readonly default?: string }
    | { readonly type: 'boolean'; readonly default?: boolean }
    | { readonly type: 'text'; readonly default?: string }
    | { readonly type: 'enum'; readonly values: readonly string[]; readonly default?: string }
  );

/** Rows by key. */
export type OptionRows = Readonly<Record<string, OptionDeclaration>>;

/** A value as the engine reads it: durations in ms, memory in bytes. */
export type OptionScalar = string | number | boolean;
