/** Makes functions from source, where the process allows it. */

/**
 * The function that `body` returns, with `bindings` in its scope; undefined where code generation is forbidden
 * (`--disallow-code-generation-from-strings`, a content security policy): the caller then uses its interpreted twin.
 */
export function generatedFunction<F>(body: string, bindings: Readonly<Record<string, unknown>>): F | undefined {
  try {
    return new Function(...Object.keys(bindings), `'use strict';\n${body}`)(...Object.values(bindings)) as F;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

/** Whether this process may make functions from source at all. */
export function isCodeGenerationAllowed(): boolean {
  return generatedFunction<boolean>('return true;', {}) === true;
}
