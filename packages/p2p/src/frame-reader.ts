import type { Stream } from "@libp2p/interface";
import { setImmediate as otherWork } from "node:timers/promises";
import { StreamLostError } from "./errors.ts";
import { FrameDecoder } from "./frames.ts";

/** With a whole frame in hand and this much waiting, the other side has to wait for our reader. */
const PAUSE_BYTES = 262_144;
const RESUME_BYTES = 131_072;
/** Frames in one go; a quarter of a million empty ones would keep everything else waiting for a second. */
const MAX_STREAK = 256;

/**
 * The receiving half of a stream. libp2p's own iterator over a stream buffers without bound, so this pauses
 * the stream itself: the muxer then stops granting window and the sender's `send` waits.
 */
export class FrameReader {
  readonly #stream: Stream;
  readonly #decoder = new FrameDecoder();
  #remoteClosed: boolean;
  #ended = false;
  #taken = 0;
  #waiting = false;
  #stirred = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#remoteClosed = stream.remoteWriteStatus !== "writable";
    stream.addEventListener("message", ({ data }) => this.#accept(data));
    stream.addEventListener("remoteCloseWrite", () => {
      this.#remoteClosed = true;
      // Data that shares a muxer frame with the end arrives right after this event.
      queueMicrotask(() => this.#stir());
    });
    stream.addEventListener("close", ({ error, local }) => {
      if (error === undefined && this.#remoteClosed) this.#stir();
      else if (error !== undefined && local === true) this.#fail(error);
      else
        this.#fail(new StreamLostError(error ? "reset by the other side" : "the connection closed", error));
    });
    // A peer that refuses at once can be faster than the negotiation that hands us the stream.
    if (stream.status !== "open") this.#fail(new StreamLostError("reset by the other side"));
    else if (this.#remoteClosed) queueMicrotask(() => this.#stir());
  }

  /** The next frame; undefined once the other side has closed. @throws StreamLostError or the reason of an abort */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.#stirred = false;
      const frame = this.#error ? undefined : this.#guard(() => this.#decoder.take());
      if (this.#error) throw this.#error;
      this.#flow();
      if (frame !== undefined) {
        this.#taken++;
        if (this.#taken % MAX_STREAK === 0) await otherWork();
        return frame;
      }
      this.#settle();
      if (this.#ended) return undefined;
      this.#waiting = true;
      if (!this.#stirred) await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#waiting = false;
    }
  }

  /** What our reader is waiting for: the rest of a frame, or a first one. A pause between frames is nobody's fault. */
  get owed(): "first frame" | `rest of frame ${number}` | undefined {
    if (!this.#waiting || this.#error) return undefined;
    if (this.#decoder.length > 0) return `rest of frame ${this.#taken}`;
    return this.#taken === 0 ? "first frame" : undefined;
  }

  /** The other side has ended what it sends, in whatever way. */
  get over(): boolean {
    return this.#remoteClosed || this.#error !== undefined;
  }

  #accept(data: Parameters<FrameDecoder["push"]>[0]): void {
    if (this.#error) return;
    this.#decoder.push(data);
    const whole = this.#guard(() => this.#decoder.has()) ?? false;
    if (whole && this.#decoder.length >= PAUSE_BYTES && this.#stream.readStatus === "readable")
      this.#stream.pause();
    this.#stir();
  }

  /** Lets the other side send again once there is room, or when what waits is not a whole frame yet. */
  #flow(): void {
    if (this.#stream.readStatus !== "paused") return;
    if (this.#decoder.length >= RESUME_BYTES && this.#decoder.has()) return;
    try {
      this.#stream.resume();
    } catch (error) {
      // What was buffered has been delivered; the muxer merely has nobody left to grant window to.
      if (!this.#remoteClosed) this.#fail(new StreamLostError("the connection closed", error));
    }
  }

  #stir(): void {
    this.#settle();
    this.#stirred = true;
    this.#wake?.();
  }

  /** Ends cleanly only after the other side's close and the last byte before it. */
  #settle(): void {
    const received = this.#remoteClosed && this.#stream.readBufferLength === 0;
    if (received && !this.#ended && !this.#error) this.#finish();
  }

  #finish(): void {
    const whole = this.#guard(() => this.#decoder.has()) ?? false;
    if (this.#error || whole) return;
    if (this.#decoder.length > 0) this.#fail(new StreamLostError("it ended inside a frame"));
    else this.#ended = true;
  }

  /** A peer that breaks the framing loses this stream, nothing else. */
  #guard<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const reason = error instanceof Error ? error : new StreamLostError(String(error));
      this.#fail(reason);
      this.#stream.abort(reason);
      return undefined;
    }
  }

  #fail(error: Error): void {
    this.#error ??= error;
    // Nobody will read it, and a lost stream may be remembered for long.
    this.#decoder.clear();
    this.#stirred = true;
    this.#wake?.();
  }
}
