import { ChorusError, InvalidInputError } from "../errors.ts";
import type { PeerId } from "../ids.ts";
import type { PeerStream } from "../ports.ts";
import { Queue } from "./queue.ts";

/** What a real mesh carries in one frame. */
const MAX_FRAME_BYTES = 1_572_864;
/** What the other side may leave unread before a sender waits for it; a real mesh has a window of this size. */
const WINDOW_BYTES = 2_097_152;

class ClosedStreamError extends ChorusError {
  readonly code = "memory-network/stream-closed";
  constructor() {
    super("the stream is closed", { retryable: true });
  }
}

/** Both ends of one conversation: what `a` and `b` hold. */
export function streamPair(a: PeerId, b: PeerId): [PeerStream, PeerStream] {
  const toA = new Inbox();
  const toB = new Inbox();
  let broken: Error | undefined;
  const abort = (reason: Error): void => {
    broken ??= reason;
    toA.fail(reason);
    toB.fail(reason);
  };
  const side = (peer: PeerId, inbox: Inbox, outbox: Inbox): PeerStream => ({
    peer,
    frames: inbox,
    send: async (frame) => {
      if (!(frame instanceof Uint8Array)) throw new InvalidInputError("frame", "must be bytes");
      if (frame.length > MAX_FRAME_BYTES)
        throw new InvalidInputError("frame", `is ${frame.length} bytes, over ${MAX_FRAME_BYTES}`);
      // Not slice: that of a Buffer shares its memory.
      const copy = new Uint8Array(frame);
      await Promise.resolve();
      if (broken) throw broken;
      await outbox.put(copy);
      if (broken) throw broken;
    },
    close: async () => outbox.end(),
    abort,
  });
  return [side(b, toA, toB), side(a, toB, toA)];
}

/** Frames on their way to one reader; it holds up their sender when it does not read. */
class Inbox implements AsyncIterable<Uint8Array> {
  readonly #frames = new Queue<Uint8Array>();
  #unreadBytes = 0;
  #ended = false;
  #moved = Promise.withResolvers<void>();

  async put(frame: Uint8Array): Promise<void> {
    if (this.#ended) throw new ClosedStreamError();
    this.#frames.push(frame);
    this.#unreadBytes += frame.length;
    while (this.#unreadBytes > WINDOW_BYTES) await this.#moved.promise;
  }

  end(): void {
    this.#ended = true;
    this.#frames.end();
  }

  fail(reason: Error): void {
    this.#ended = true;
    this.#frames.fail(reason);
    this.#take(this.#unreadBytes);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for await (const frame of this.#frames) {
      this.#take(frame.length);
      yield frame;
    }
  }

  #take(bytes: number): void {
    this.#unreadBytes -= bytes;
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }
}
