import type { Clock, PeerId, PeerStream, Streams } from "@chorus/kernel";
import { RefusedError, SilentPeerError } from "./errors.ts";
import { decodeFrame, encodeFrame, MAX_FRAME_BYTES, PROTOCOL, type Frame, type Message } from "./wire.ts";

/** A stream of {@link Frame}s in which nobody waits for ever. */
export interface Channel {
  readonly peer: PeerId;
  /** The other side's next frame; undefined when it has closed. */
  next(): Promise<Frame | undefined>;
  /** The next frame, which must be one of these messages. @throws RefusedError */
  expect<T extends Message["t"]>(...kinds: T[]): Promise<Extract<Message, { t: T }>>;
  send(frame: Frame): Promise<void>;
}

/** Bounds on waiting for a peer. */
export interface Patience {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export function channel(stream: PeerStream, patience: Patience): Channel {
  const frames = stream.frames[Symbol.asyncIterator]();
  const next = async (): Promise<Frame | undefined> => {
    const { done, value } = await inTime(frames.next(), patience);
    if (done === true) return undefined;
    if (value.length > MAX_FRAME_BYTES) throw new RefusedError("the frame is too large");
    return decodeFrame(value);
  };
  return {
    peer: stream.peer,
    next,
    send: (frame) => inTime(stream.send(encodeFrame(frame)), patience),
    async expect(...kinds) {
      const frame = await next();
      if (frame === undefined) throw new RefusedError("the peer ended the conversation");
      if (!(frame instanceof Uint8Array) && isOneOf(frame, kinds)) return frame;
      throw new RefusedError("the message is out of turn");
    },
  };
}

/** Opens a conversation, has it, and closes it; any failure ends the stream. */
export async function converse<T>(
  to: { readonly streams: Streams; readonly peer: PeerId },
  patience: Patience,
  talk: (channel: Channel) => Promise<T>,
): Promise<T> {
  patience.signal.throwIfAborted();
  // Not `AbortSignal.any`: with a listener of the network on it, it would live as long as the storage.
  const ended = new AbortController();
  const onAbort = (): void => ended.abort(patience.signal.reason);
  patience.signal.addEventListener("abort", onAbort, { once: true });
  let stream: PeerStream | undefined;
  try {
    const opening = to.streams.open(to.peer, PROTOCOL, { signal: ended.signal });
    stream = await inTime(opening, patience);
    const result = await talk(channel(stream, patience));
    await inTime(stream.close(), patience);
    return result;
  } catch (error) {
    const reason = error instanceof Error ? error : new Error("conversation failed", { cause: error });
    stream?.abort(reason);
    // Ends an opening that is still under way.
    if (stream === undefined) ended.abort(reason);
    throw error;
  } finally {
    patience.signal.removeEventListener("abort", onAbort);
  }
}

/** Settles as `promise` does, unless the time or the signal comes first. */
export async function inTime<T>(promise: Promise<T>, { clock, timeoutMs, signal }: Patience): Promise<T> {
  const settled = new AbortController();
  const waiting = AbortSignal.any([signal, settled.signal]);
  const timeout = clock.sleep(timeoutMs, { signal: waiting }).then(() => {
    throw new SilentPeerError(timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    settled.abort();
  }
}

function isOneOf<T extends Message["t"]>(
  message: Message,
  kinds: readonly T[],
): message is Extract<Message, { t: T }> {
  return kinds.some((kind) => kind === message.t);
}
