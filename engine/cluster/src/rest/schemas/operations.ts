/** Schemas of asynchronous operations, and of artifacts. */
import type {
  ArtifactInfo,
  ArtifactList,
  AsynchronousOperation,
  CheckpointReference,
  FailureCause,
  SavepointLocation,
} from 'millstream/cluster';
import { type TUnsafe, Type } from 'typebox';
import { number, optional, shape, text, words } from './shape.js';

export const failureCause: TUnsafe<FailureCause> = shape<FailureCause>({ class: text, 'stack-trace': text });

/** An operation's result or its failure; `fields` are those of the result. */
function operation<T>(fields: Readonly<Record<string, TUnsafe<unknown>>>): TUnsafe<AsynchronousOperation<T>> {
  const result = Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, Type.Optional(schema)]));
  return shape<AsynchronousOperation<T>>({
    status: shape<AsynchronousOperation<T>['status']>({ id: words(['IN_PROGRESS', 'COMPLETED']) }),
    operation: optional(Type.Object({ ...result, 'failure-cause': Type.Optional(failureCause) })),
  } as unknown as Parameters<typeof shape<AsynchronousOperation<T>>>[0]);
}

export const savepointOperation: TUnsafe<AsynchronousOperation<SavepointLocation>> = operation<SavepointLocation>({ location: text });
export const checkpointOperation: TUnsafe<AsynchronousOperation<CheckpointReference>> = operation<CheckpointReference>({
  checkpointId: number,
});
export const disposalOperation: TUnsafe<AsynchronousOperation<Readonly<Record<string, never>>>> = operation<
  Readonly<Record<string, never>>
>({});

const artifactFields = { id: text, name: text, uploaded: number, size: number, sha256: text } as const;

export const artifacts: TUnsafe<ArtifactList> = shape<ArtifactList>({
  address: text,
  files: Type.Unsafe<ArtifactList['files']>(Type.Array(shape<ArtifactInfo>(artifactFields))),
});

/** Flink's answer to an upload (`filename` is the id), and the artifact. */
export interface UploadBody extends ArtifactInfo {
  readonly filename: string;
  readonly status: 'success';
}

export const upload: TUnsafe<UploadBody> = shape<UploadBody>({ ...artifactFields, filename: text, status: words(['success']) });
