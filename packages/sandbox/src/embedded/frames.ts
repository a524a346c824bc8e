/**
 * What passes between the agent and its child, both ways: two 32-bit lengths, a JSON header, raw bytes. Deliberately
 * dumber than the runtime's own channel, whose decoder is not made for a sender that may have been taken over.
 */
export interface Frame {
  readonly header: unknown;
  readonly body: Uint8Array;
}

const PREFIX_BYTES = 8;
const MAX_HEADER_BYTES = 67_108_864;

/** The pieces to write, in order. */
export function frame(header: object, parts: readonly Uint8Array[] = []): Uint8Array[] {
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(text.length, 0);
  prefix.writeUInt32BE(
    parts.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  return [prefix, text, ...parts];
}

/** Whole frames until the stream ends. Throws on one that is bigger than allowed or not JSON. */
export async function* frames(
  stream: AsyncIterable<Uint8Array>,
  { maxBodyBytes }: { readonly maxBodyBytes: number },
): AsyncGenerator<Frame> {
  let held: Uint8Array[] = [];
  let size = 0;
  let wanted = PREFIX_BYTES;
  for await (const chunk of stream) {
    held.push(chunk);
    size += chunk.length;
    while (size >= wanted) {
      const bytes = Buffer.concat(held);
      held = [bytes];
      const headerBytes = bytes.readUInt32BE(0);
      const bodyBytes = bytes.readUInt32BE(4);
      if (headerBytes > MAX_HEADER_BYTES || bodyBytes > maxBodyBytes)
        throw new RangeError("the frame is too big");
      const end = PREFIX_BYTES + headerBytes + bodyBytes;
      wanted = end;
      if (size < end) break;
      yield {
        header: JSON.parse(bytes.toString("utf8", PREFIX_BYTES, PREFIX_BYTES + headerBytes)),
        body: bytes.subarray(PREFIX_BYTES + headerBytes, end),
      };
      held = [bytes.subarray(end)];
      size -= end;
      wanted = PREFIX_BYTES;
    }
  }
}
