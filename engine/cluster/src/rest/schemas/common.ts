/** Parameters and answers that many routes share. Lengths are bounded: what is longer names nothing. */
import { type TObject, type TString, type TUnsafe, Type } from 'typebox';
import { shape, text } from './shape.js';

const HEXADECIMAL_32 = '^[0-9a-f]{32}$';

/** Of a directory or URL: no control character, no half of a character. */
export const pathText: TString = Type.String({
  minLength: 1,
  maxLength: 4096,
  pattern: '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]+$',
  description: 'a directory or URL',
});
export const identifier: TString = Type.String({ minLength: 1, maxLength: 256 });
export const triggerId: TString = Type.String({ pattern: HEXADECIMAL_32, description: '32 hexadecimal digits' });

export const jobParameters: TObject<{ jobid: TString }> = Type.Object({ jobid: identifier });
export const vertexParameters: TObject<{ jobid: TString; vertexid: TString }> = Type.Object({ jobid: identifier, vertexid: identifier });
export const triggerParameters: TObject<{ jobid: TString; triggerid: TString }> = Type.Object({ jobid: identifier, triggerid: triggerId });

/** "a,b,c" as a list; undefined if absent. */
export function commaSeparated(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : value.split(',').filter((part) => part !== '');
}

/** Every error. */
export const errorBody: TUnsafe<ErrorBody> = shape<ErrorBody>({ errors: Type.Array(Type.String()), code: text });

export interface ErrorBody {
  readonly errors: readonly string[];
  /** See docs/reference/errors.md. */
  readonly code: string;
}

/** An accepted trigger. */
export const triggerResponse: TUnsafe<TriggerResponse> = shape<TriggerResponse>({ 'request-id': text });

export interface TriggerResponse {
  readonly 'request-id': string;
}

/** An answer without content. */
export const empty: TUnsafe<Readonly<Record<string, never>>> = Type.Unsafe<Readonly<Record<string, never>>>({
  type: 'object',
  additionalProperties: false,
});
