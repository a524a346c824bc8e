import type { Canonical } from "./canonical.ts";
import type { Envelope } from "./envelope.ts";
import type { PeerId } from "./ids.ts";

/** Where a package writes what an operator should know. Messages are constant sentences, data goes in fields. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  child(fields: Readonly<Record<string, unknown>>): Logger;
}

/** Time, injected so that tests decide when it passes. */
export interface Clock {
  /** Wall time, milliseconds since the epoch: for records and people, never for durations. */
  now(): number;
  /** Milliseconds that never go back: for leases and deadlines. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with `signal.reason` when cancelled. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/** Best-effort broadcast in the mesh. What must not be lost goes over {@link Streams} with catch-up. */
export interface PubSub {
  /** Seals, signs and sends. Resolves when the message has been handed to the mesh, not when it arrived. */
  publish(topic: string, type: string, body: Canonical): Promise<void>;
  /** Verified messages of members, the caller's own excluded, until `signal` fires. Slow readers lose the oldest. */
  subscribe(topic: string, options: { readonly signal: AbortSignal }): AsyncIterable<Envelope>;
}

/** One two-way conversation with an authenticated member; frames arrive whole and in order. */
export interface PeerStream {
  readonly peer: PeerId;
  /** The other side's frames; ends when it closes, throws when the stream is lost. Read by one reader. */
  readonly frames: AsyncIterable<Uint8Array>;
  /** Resolves when the frame may be followed by another: backpressure reaches the sender. */
  send(frame: Uint8Array): Promise<void>;
  /** Ends our side; the other may go on sending. */
  close(): Promise<void>;
  /** Ends both sides at once. */
  abort(reason: Error): void;
}

/** Direct conversations between members, for all that must not be lost. */
export interface Streams {
  /** Connected members now, sorted. */
  peers(): readonly PeerId[];
  /** Serves a protocol until disposed. A handler that throws aborts its stream only. */
  handle(protocol: string, handler: (stream: PeerStream) => Promise<void>): Disposable;
  /** @throws an error with `retryable: true` when the peer cannot be reached or does not speak the protocol */
  open(peer: PeerId, protocol: string, options: { readonly signal: AbortSignal }): Promise<PeerStream>;
  /** Members coming and going, from now on. */
  changes(options: {
    readonly signal: AbortSignal;
  }): AsyncIterable<{ readonly peer: PeerId; readonly connected: boolean }>;
}

/** A logger that keeps nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};
