/**
 * The program in a form, as `curl -F jarfile=@program.mjs` sends it: read with the platform's own parser, which holds the form in memory, so
 * it is bounded before it is parsed.
 */
import { Readable } from 'node:stream';
import { MillstreamError } from 'millstream';

/** A file of a form. */
export interface FormProgram {
  readonly name: string;
  readonly content: Readable;
}

/** Reads a form of at most `bytesMax` that has one file. Throws INVALID_REQUEST, REQUEST_TOO_LARGE. */
export async function readFormProgram(body: Readable, contentType: string, bytesMax: number): Promise<FormProgram> {
  const bytes = await collect(body, bytesMax);
  let form: FormData;
  try {
    form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw new MillstreamError(
      'INVALID_REQUEST',
      'Cannot upload a program: its form is malformed. Send it with: curl -F jarfile=@program.mjs',
      {
        cause,
      },
    );
  }
  const files = [...form.values()].filter((value) => typeof value !== 'string');
  const [file] = files;
  if (file === undefined || files.length > 1) {
    throw new MillstreamError(
      'INVALID_REQUEST',
      `Cannot upload a program: the form has ${files.length} files, and must have one. Send it with: curl -F jarfile=@program.mjs`,
    );
  }
  return { name: file.name, content: Readable.fromWeb(file.stream() as Parameters<typeof Readable.fromWeb>[0]) };
}

async function collect(body: Readable, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    // It stays readable after a refusal, so that the answer can be sent.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > bytesMax) {
        throw new MillstreamError(
          'REQUEST_TOO_LARGE',
          `Cannot upload a program in a form of more than ${bytesMax} bytes. Send it as it is: curl --data-binary @program.mjs -H 'content-type: text/javascript' '…/jars/upload?name=program.mjs'`,
        );
      }
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof MillstreamError) throw cause;
    throw new MillstreamError('INVALID_REQUEST', 'Cannot upload a program: the connection broke before its end. Upload it again.', {
      cause,
    });
  }
  return new Uint8Array(Buffer.concat(chunks));
}
