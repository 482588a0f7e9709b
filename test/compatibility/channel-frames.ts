/** What is on its way in an unaligned checkpoint, read without the engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTIONS = ['input', 'output'];
const KINDS = ['', 'last', 'more', 'control'];

type StateJson = { readonly inline: string } | { readonly file: { readonly path: string } };

interface MetadataJson {
  readonly formatVersion: number;
  readonly operators: readonly { readonly subtasks: readonly { readonly channelState?: StateJson }[] }[];
}

/** `_metadata` of a checkpoint: JSON, then a line with its checksum. */
function readMetadata(checkpoint: string): MetadataJson {
  const text = readFileSync(join(checkpoint, '_metadata'), 'utf8');
  return JSON.parse(text.slice(0, text.trimEnd().lastIndexOf('\n'))) as MetadataJson;
}

/** The numbers and bytes of a channel state; see checkpoint/channel-state.ts. */
class Cursor {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.bytes.readUInt8(this.at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  u8(): number {
    return this.bytes.readUInt8(this.at++);
  }

  take(count: number): Buffer {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
}

/** Which frames it has, as 'input last', 'output more' …, and where they lie. */
export function kindsOnTheirWay(checkpoint: string): {
  readonly formatVersion: number;
  readonly frames: string[];
  readonly places: string[];
} {
  const { formatVersion, operators } = readMetadata(checkpoint);
  const frames = new Set<string>();
  const places = new Set<string>();
  for (const { channelState } of operators.flatMap(({ subtasks }) => subtasks)) {
    if (channelState === undefined) continue;
    places.add(Object.keys(channelState)[0] as string);
    const bytes =
      'inline' in channelState ? Buffer.from(channelState.inline, 'base64') : readFileSync(join(checkpoint, channelState.file.path));
    const cursor = new Cursor(bytes);
    cursor.u8();
    for (let channels = cursor.varint(); channels > 0; channels--) {
      const direction = DIRECTIONS[cursor.u8()];
      cursor.take(cursor.varint() / 2);
      for (let left = cursor.varint(); left > 0; left--) {
        frames.add(`${direction} ${KINDS[cursor.u8()]}`);
        cursor.take(cursor.varint());
      }
    }
  }
  return { formatVersion, frames: [...frames].sort(), places: [...places].sort() };
}
