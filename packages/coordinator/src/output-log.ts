import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { Pulse } from "./pulse.ts";

/** A piece of output at its place. */
export interface OutputPiece {
  readonly offset: number;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** Bounds of one attempt's log. */
export interface OutputLogOptions {
  readonly memoryBytes: number;
  /** Holds what is older than the memory; without it, what is older is lost. Removed with the log. */
  readonly file?: string;
}

/** Largest piece that is read back from the file. */
const PIECE_BYTES = 65_536;
/** Up to this size, writes to one stream become one piece. */
const JOINED_BYTES = 16_384;

/**
 * One attempt's output as it is written: bytes at offsets, read by any number of readers while it grows. The newest
 * stays in memory, the rest goes to a file, so a run that prints without end costs no memory.
 */
export class OutputLog implements Disposable {
  readonly #options: OutputLogOptions;
  readonly #pulse = new Pulse();
  /** Newest pieces, without a gap up to the end. */
  readonly #recent: OutputPiece[] = [];
  /** Where the stream changes, for what only the file has. */
  readonly #spans: { readonly from: number; readonly stream: "stdout" | "stderr" }[] = [];
  #file: number | undefined;
  #size = 0;
  #held = 0;
  #ended = false;
  #disposed = false;

  constructor(options: OutputLogOptions) {
    this.#options = options;
    if (options.file !== undefined) this.#file = openSync(options.file, "w+", 0o600);
  }

  get ended(): boolean {
    return this.#ended;
  }

  append(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    if (this.#ended || bytes.length === 0) return;
    this.#keep(stream, bytes);
    if (this.#spans.at(-1)?.stream !== stream) this.#spans.push({ from: this.#size, stream });
    this.#size += bytes.length;
    this.#held += bytes.length;
    while (this.#held > this.#options.memoryBytes && this.#recent.length > 1) this.#spill();
    this.#pulse.beat();
  }

  /** Nothing more will come; readers end when they have everything. */
  end(): void {
    this.#ended = true;
    this.#pulse.beat();
  }

  /**
   * Pieces from an offset on, live, until the log ends or `signal` fires. When the oldest part is lost, the first
   * piece's offset is greater than asked for.
   */
  async *read(offset: number, signal: AbortSignal): AsyncGenerator<OutputPiece> {
    let next = offset;
    while (!signal.aborted && !this.#disposed) {
      const changed = this.#pulse.next(signal);
      for (let piece = this.#at(next); piece !== undefined && !signal.aborted; piece = this.#at(next)) {
        yield piece;
        next = piece.offset + piece.bytes.length;
      }
      if (this.#ended && next >= this.#size) return;
      await changed;
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.end();
    this.#recent.length = 0;
    if (this.#file === undefined || this.#options.file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    rmSync(this.#options.file, { force: true });
  }

  /** Small writes are joined, so that a chatty run does not make a million pieces. */
  #keep(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    const last = this.#recent.at(-1);
    const joins = last?.stream === stream && last.bytes.length + bytes.length <= JOINED_BYTES;
    if (joins) this.#recent[this.#recent.length - 1] = { ...last, bytes: concat(last.bytes, bytes) };
    else this.#recent.push({ offset: this.#size, stream, bytes: bytes.slice() });
  }

  #at(offset: number): OutputPiece | undefined {
    const oldest = this.#recent[0];
    if (this.#disposed || oldest === undefined || offset >= this.#size) return undefined;
    if (offset < oldest.offset)
      return this.#file === undefined ? oldest : this.#fromFile(offset, oldest.offset);
    const piece = this.#recent.find((held) => offset < held.offset + held.bytes.length);
    if (piece === undefined) return undefined;
    return { offset, stream: piece.stream, bytes: piece.bytes.subarray(offset - piece.offset) };
  }

  #fromFile(offset: number, end: number): OutputPiece | undefined {
    if (this.#file === undefined) return undefined;
    const at = this.#spans.findLastIndex(({ from }) => from <= offset);
    const stream = this.#spans[at]?.stream ?? "stdout";
    const until = Math.min(this.#spans[at + 1]?.from ?? end, end, offset + PIECE_BYTES);
    const bytes = new Uint8Array(until - offset);
    readSync(this.#file, bytes, 0, bytes.length, offset);
    return { offset, stream, bytes };
  }

  #spill(): void {
    const piece = this.#recent.shift();
    if (piece === undefined) return;
    this.#held -= piece.bytes.length;
    if (this.#file !== undefined) writeSync(this.#file, piece.bytes, 0, piece.bytes.length, piece.offset);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
