import { InvalidInputError } from "@chorus/kernel";
import { Uint8ArrayList } from "uint8arraylist";
import { StreamLostError } from "./errors.ts";

/** Largest frame of a stream: a stored block of 1 MiB with room for its envelope. */
export const MAX_FRAME_BYTES = 1_572_864;

/** 2^28 - 1 is above the largest frame, so a longer length is never legitimate. */
const MAX_LENGTH_BYTES = 4;

/** A frame on the wire: unsigned varint (LEB128) of its length, then the bytes. Copies, so the caller may reuse its buffer. */
export function encodeFrame(frame: Uint8Array): Uint8Array {
  if (frame.length > MAX_FRAME_BYTES)
    throw new InvalidInputError("frame", `is ${frame.length} bytes, over ${MAX_FRAME_BYTES}`);
  const prefix: number[] = [];
  let rest = frame.length;
  for (; rest >= 0x80; rest >>>= 7) prefix.push((rest & 0x7f) | 0x80);
  prefix.push(rest);
  const bytes = new Uint8Array(prefix.length + frame.length);
  bytes.set(prefix);
  bytes.set(frame, prefix.length);
  return bytes;
}

/**
 * Cuts what arrives into frames, one at a time: a peer that sends a million empty frames makes a million
 * bytes wait here, not a million objects.
 */
export class FrameDecoder {
  readonly #bytes = new Uint8ArrayList();

  push(data: Uint8Array | Uint8ArrayList): void {
    this.#bytes.append(data);
  }

  /** Bytes that are waiting, whole frames or not. */
  get length(): number {
    return this.#bytes.byteLength;
  }

  /** True when {@link take} has a frame. @throws StreamLostError */
  has(): boolean {
    const head = this.#head();
    return head !== undefined && head.start + head.length <= this.#bytes.byteLength;
  }

  /** The next whole frame, if there is one. @throws StreamLostError when a length is malformed or too large */
  take(): Uint8Array | undefined {
    const head = this.#head();
    if (head === undefined) return undefined;
    const end = head.start + head.length;
    if (end > this.#bytes.byteLength) return undefined;
    const frame = this.#bytes.slice(head.start, end);
    this.#bytes.consume(end);
    return frame;
  }

  #head(): { start: number; length: number } | undefined {
    let length = 0;
    for (let at = 0; at < MAX_LENGTH_BYTES; at++) {
      if (at >= this.#bytes.byteLength) return undefined;
      const byte = this.#bytes.get(at);
      length |= (byte & 0x7f) << (7 * at);
      if (byte >= 0x80) continue;
      if (length > MAX_FRAME_BYTES) throw new StreamLostError(`a frame of ${length} bytes is too large`);
      return { start: at + 1, length };
    }
    throw new StreamLostError("a frame's length is malformed");
  }
}
