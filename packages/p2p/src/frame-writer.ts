import type { Stream } from "@libp2p/interface";
import { StreamLostError } from "./errors.ts";
import { encodeFrame } from "./frames.ts";

/**
 * The sending half of a stream. `send` resolves when libp2p has passed the frame on, so what waits in memory
 * is one frame per stream. It never calls the stream's onDrain: from its second use on, that promise is
 * already resolved, and everything would pile up in memory.
 */
export class FrameWriter {
  readonly #stream: Stream;
  #tail: Promise<unknown> = Promise.resolve();
  #lost: Error | undefined;
  #sent = 0;
  #stuck = false;
  #closed = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    if (stream.status !== "open") this.#lost = new StreamLostError("reset by the other side");
    stream.addEventListener("close", ({ error, local }) => {
      this.#lost ??=
        error !== undefined && local === true
          ? error
          : new StreamLostError(error ? "reset by the other side" : "the stream is closed", error);
    });
  }

  /** What the other side keeps us waiting for: to take a frame. */
  get owed(): `reading frame ${number}` | undefined {
    return this.#stuck && !this.#lost ? `reading frame ${this.#sent}` : undefined;
  }

  /** Frames that are on their way or gone. */
  get sent(): number {
    return this.#sent;
  }

  /** Our side has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Frames of concurrent callers go out whole, in the order of the calls. */
  async send(frame: Uint8Array): Promise<void> {
    const bytes = encodeFrame(frame);
    return this.#inTurn(() => this.#write(bytes));
  }

  /** Resolves at once on a stream that is already gone. */
  async close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#closed = true;
      if (this.#lost) return;
      try {
        await this.#stream.close();
      } catch (cause) {
        if (!this.#lost) throw new StreamLostError("it could not be closed", cause);
      }
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#lost) throw this.#lost;
    this.#sent++;
    try {
      this.#stream.send(bytes);
    } catch (cause) {
      throw this.#lost ?? new StreamLostError("it is closed for writing", cause);
    }
    while (this.#stream.writeBufferLength > 0 || this.#stream.writableNeedsDrain) {
      if (this.#lost) throw this.#lost;
      this.#stuck = true;
      await this.#moved();
      this.#stuck = false;
    }
    if (this.#lost) throw this.#lost;
  }

  /** Something left the buffer, or the stream ended. */
  async #moved(): Promise<void> {
    const done = new AbortController();
    await new Promise<void>((resolve) => {
      for (const event of ["drain", "idle", "close"] as const)
        this.#stream.addEventListener(event, () => resolve(), { signal: done.signal });
    });
    done.abort();
  }
}
