import { openEnvelope, sealEnvelope, type Envelope } from "../envelope.ts";
import { ChorusError, InvalidInputError } from "../errors.ts";
import type { PeerId } from "../ids.ts";
import type { Clock, PeerStream, PubSub, Streams } from "../ports.ts";
import { systemClock } from "../ports.ts";
import type { Signer } from "../signer.ts";
import { streamPair } from "./memory-stream.ts";
import { Queue } from "./queue.ts";

/** What one peer sees of the network: the same ports that a real mesh offers. */
export interface MemoryPeer {
  readonly peer: PeerId;
  readonly pubsub: PubSub;
  readonly streams: Streams;
  /** Disappears at once, as a killed process does: every stream of this peer breaks. */
  leave(): void;
}

/** Peers inside one process, all connected, with real envelopes; links can be cut and healed. */
export interface MemoryNetwork {
  join(signer: Signer): MemoryPeer;
  /** Breaks the link between two peers, and its streams; nothing passes until {@link heal}. */
  cut(a: PeerId, b: PeerId): void;
  heal(a: PeerId, b: PeerId): void;
}

/** Messages that a slow subscriber may leave unread; the oldest go first, as in a real mesh. */
const MAX_UNREAD_MESSAGES = 256;

/** The peer is not there, is cut off, or does not speak the protocol. */
export class UnreachableError extends ChorusError {
  readonly code = "memory-network/unreachable";
  constructor(peer: PeerId, protocol: string) {
    super("peer cannot be reached", { retryable: true, detail: { peer, protocol } });
  }
}

/** @param options.cluster the name sealed into every envelope. @default "test" */
export function memoryNetwork(options: { cluster?: string; clock?: Clock } = {}): MemoryNetwork {
  const { cluster = "test", clock = systemClock } = options;
  const members = new Map<PeerId, Member>();
  const cuts = new Set<string>();
  const linked = (a: PeerId, b: PeerId): boolean =>
    a !== b && members.has(a) && members.has(b) && !cuts.has(link(a, b));
  return {
    join(signer) {
      const member = new Member(signer.peer, members, linked);
      members.set(signer.peer, member);
      member.announce(true);
      return {
        peer: signer.peer,
        streams: member.streams(),
        pubsub: {
          async publish(topic, type, body) {
            const bytes = await sealEnvelope({ type, cluster, body }, signer, clock.now());
            for (const other of members.values())
              if (linked(signer.peer, other.peer)) other.deliver(topic, await openEnvelope(bytes, cluster));
          },
          subscribe: (topic, { signal }) => member.subscribe(topic, signal),
        },
        leave: () => {
          member.announce(false);
          members.delete(signer.peer);
          member.breakStreams(() => true);
        },
      };
    },
    cut(a, b) {
      cuts.add(link(a, b));
      members.get(a)?.lose(b);
      members.get(b)?.lose(a);
    },
    heal(a, b) {
      cuts.delete(link(a, b));
      members.get(a)?.notify(b, true);
      members.get(b)?.notify(a, true);
    },
  };
}

function link(a: PeerId, b: PeerId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

class Member {
  readonly peer: PeerId;
  readonly #members: ReadonlyMap<PeerId, Member>;
  readonly #linked: (a: PeerId, b: PeerId) => boolean;
  readonly #handlers = new Map<string, (stream: PeerStream) => Promise<void>>();
  readonly #topics = new Map<string, Set<Queue<Envelope>>>();
  readonly #watchers = new Set<Queue<{ peer: PeerId; connected: boolean }>>();
  readonly #open = new Set<PeerStream>();

  constructor(peer: PeerId, members: ReadonlyMap<PeerId, Member>, linked: (a: PeerId, b: PeerId) => boolean) {
    this.peer = peer;
    this.#members = members;
    this.#linked = linked;
  }

  announce(connected: boolean): void {
    for (const other of this.#members.values())
      if (this.#linked(this.peer, other.peer)) {
        other.notify(this.peer, connected);
        this.notify(other.peer, connected);
      }
  }

  notify(peer: PeerId, connected: boolean): void {
    for (const watcher of this.#watchers) watcher.push({ peer, connected });
  }

  lose(peer: PeerId): void {
    this.breakStreams((stream) => stream.peer === peer);
    this.notify(peer, false);
  }

  breakStreams(chosen: (stream: PeerStream) => boolean): void {
    for (const stream of this.#open) if (chosen(stream)) stream.abort(new Error("link lost"));
  }

  deliver(topic: string, envelope: Envelope): void {
    for (const queue of this.#topics.get(topic) ?? []) queue.push(envelope);
  }

  subscribe(topic: string, signal: AbortSignal): AsyncIterable<Envelope> {
    const queues = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, queues);
    return untilAborted(queues, signal, MAX_UNREAD_MESSAGES);
  }

  streams(): Streams {
    return {
      peers: () => [...this.#members.keys()].filter((peer) => this.#linked(this.peer, peer)).toSorted(),
      handle: (protocol, handler) => {
        if (this.#handlers.has(protocol))
          throw new InvalidInputError("protocol", `${protocol} is served already`);
        this.#handlers.set(protocol, handler);
        return {
          [Symbol.dispose]: () => {
            this.#handlers.delete(protocol);
          },
        };
      },
      open: async (peer, protocol, { signal }) => {
        signal.throwIfAborted();
        const other = this.#members.get(peer);
        const handler = other === undefined ? undefined : other.#handlers.get(protocol);
        if (!other || !handler || !this.#linked(this.peer, peer)) throw new UnreachableError(peer, protocol);
        const [near, far] = streamPair(this.peer, other.peer);
        this.hold(near);
        other.hold(far);
        signal.addEventListener("abort", () => near.abort(toError(signal.reason)), { once: true });
        void handler(far).catch((error: unknown) => far.abort(toError(error)));
        return near;
      },
      changes: ({ signal }) => untilAborted(this.#watchers, signal),
    };
  }

  hold(stream: PeerStream): void {
    this.#open.add(stream);
  }
}

function untilAborted<T>(queues: Set<Queue<T>>, signal: AbortSignal, most?: number): AsyncIterable<T> {
  const queue = new Queue<T>(most);
  if (signal.aborted) queue.end();
  else queues.add(queue);
  signal.addEventListener("abort", () => {
    queues.delete(queue);
    queue.end();
  });
  return queue;
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
