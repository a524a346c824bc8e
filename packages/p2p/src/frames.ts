import { InvalidInputError } from "@chorus/kernel";
import type { Uint8ArrayList } from "uint8arraylist";
import { checkedBytes } from "./checks.ts";
import { StreamLostError } from "./errors.ts";

/** Largest frame of a stream: a stored block of 1 MiB with room for its envelope. */
export const MAX_FRAME_BYTES = 1_572_864;

/** 2^28 - 1 is above the largest frame, so a longer length is never legitimate. */
const MAX_LENGTH_BYTES = 4;

/** A frame on the wire: unsigned varint (LEB128) of its length, then the bytes. Copies, so the caller may reuse its buffer. */
export function encodeFrame(frame: Uint8Array): Uint8Array {
  checkedBytes(frame, "frame");
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

/** Room that an idle stream may keep; what a large frame needed is given back. */
const IDLE_BYTES = 65_536;
const LEAST_BYTES = 1_024;
const NOTHING = new Uint8Array();

/**
 * Cuts what arrives into frames, one at a time: a peer that sends a million empty frames makes a million
 * bytes wait here, not a million objects. What arrives is copied together: kept as it came, a frame in
 * one-byte pieces would hold a hundred times its size and take minutes to put together.
 */
export class FrameDecoder {
  #bytes: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  push(data: Uint8Array | Uint8ArrayList): void {
    this.#reserve(data.byteLength);
    for (const part of data instanceof Uint8Array ? [data] : data) {
      this.#bytes.set(part, this.#end);
      this.#end += part.length;
    }
  }

  /** Bytes that are waiting, whole frames or not. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** True when {@link take} has a frame. @throws StreamLostError */
  has(): boolean {
    const head = this.#head();
    return head !== undefined && head.start + head.length <= this.length;
  }

  /** The next whole frame, if there is one. @throws StreamLostError when a length is malformed or too large */
  take(): Uint8Array | undefined {
    const head = this.#head();
    if (head === undefined) return undefined;
    const end = head.start + head.length;
    if (end > this.length) return undefined;
    const frame = this.#bytes.slice(this.#start + head.start, this.#start + end);
    this.#start += end;
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      if (this.#bytes.length > IDLE_BYTES) this.#bytes = NOTHING;
    }
    return frame;
  }

  /** Lets go of what waits. */
  clear(): void {
    this.#bytes = NOTHING;
    this.#start = this.#end = 0;
  }

  /** Doubles, or moves what is left to the front when that halves the room, so that a byte moves a few times at most. */
  #reserve(size: number): void {
    if (this.#end + size <= this.#bytes.length) return;
    const waiting = this.#bytes.subarray(this.#start, this.#end);
    const enough = waiting.length + size;
    if (enough > this.#bytes.length / 2) this.#bytes = new Uint8Array(Math.max(LEAST_BYTES, 2 * enough));
    this.#bytes.set(waiting);
    this.#end -= this.#start;
    this.#start = 0;
  }

  #head(): { start: number; length: number } | undefined {
    let length = 0;
    for (let at = 0; at < MAX_LENGTH_BYTES; at++) {
      const byte = this.#bytes[this.#start + at];
      if (at >= this.length || byte === undefined) return undefined;
      length |= (byte & 0x7f) << (7 * at);
      if (byte >= 0x80) continue;
      if (length > MAX_FRAME_BYTES) throw new StreamLostError(`a frame of ${length} bytes is too large`);
      return { start: at + 1, length };
    }
    throw new StreamLostError("a frame's length is malformed");
  }
}
