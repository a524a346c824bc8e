import type { OutputChunk } from "../contract.ts";

const HEADER_BYTES = 8;

/**
 * Takes the engine's multiplexed stream apart. Back-pressure reaches the engine, and with it the command, because the
 * next piece is only read when the last one has been taken; pieces are handed on as they come, never gathered.
 * @throws TypeError when the stream is not multiplexed output
 */
export async function* demultiplex(stream: AsyncIterable<Uint8Array>): AsyncGenerator<OutputChunk> {
  let header = new Uint8Array(0);
  let left = 0;
  let name: OutputChunk["stream"] = "stdout";
  for await (const piece of stream) {
    let at = 0;
    while (at < piece.length) {
      if (left > 0) {
        const bytes = piece.subarray(at, at + left);
        at += bytes.length;
        left -= bytes.length;
        yield { stream: name, bytes };
        continue;
      }
      const part = piece.subarray(at, at + HEADER_BYTES - header.length);
      at += part.length;
      header = join(header, part);
      if (header.length < HEADER_BYTES) continue;
      ({ name, left } = parseHeader(header));
      header = new Uint8Array(0);
    }
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function parseHeader(header: Uint8Array): { name: OutputChunk["stream"]; left: number } {
  const kind = header[0];
  if (kind !== 1 && kind !== 2) throw new TypeError("the engine's output is not multiplexed");
  const left = new DataView(header.buffer, header.byteOffset, header.byteLength).getUint32(4);
  return { name: kind === 1 ? "stdout" : "stderr", left };
}
