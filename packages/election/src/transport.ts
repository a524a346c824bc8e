import {
  type Clock,
  errorCode,
  type Logger,
  type PeerId,
  type PeerStream,
  type Streams,
} from "@chorus/kernel";
import { encodeMessage, type Message, parseMessage, PROTOCOL } from "./wire.ts";

/** Messages waiting for one peer; a peer that takes fewer is cut off and asked again later. */
const MAX_WAITING = 64;
/** A stream that takes longer to open leads nowhere. */
const OPEN_MS = 2000;
/** Who takes longer to read the last words goes without them. */
const CLOSE_MS = 500;

interface TransportPorts {
  readonly streams: Streams;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One-way streams to members, opened when there is something to say. */
export interface Transport extends AsyncDisposable {
  /** Resolves when the message was handed over. @throws when the peer cannot be reached now */
  send(to: PeerId, message: Message): Promise<void>;
  /** To every connected member; failures are theirs to notice. */
  broadcast(message: Message): void;
  /** Forgets the stream to a peer whose connection was lost. */
  drop(peer: PeerId): void;
  /** Resolves when nothing is waiting any more. */
  flush(): Promise<void>;
}

/** @param receive handles one message; its sender's next one waits until it resolves */
export function transport(
  ports: TransportPorts,
  receive: (from: PeerId, message: Message) => Promise<void>,
): Transport {
  const { streams, logger } = ports;
  const links = new Map<PeerId, Link>();
  const serving = streams.handle(PROTOCOL, async (stream) => {
    for await (const frame of stream.frames) await receive(stream.peer, parseMessage(frame));
    await stream.close();
  });

  const drop = (peer: PeerId): void => {
    links.get(peer)?.abort();
    links.delete(peer);
  };
  const send = async (to: PeerId, message: Message): Promise<void> => {
    if (links.get(to)?.crowded === true) drop(to);
    const link = links.get(to) ?? new Link(to, ports);
    links.set(to, link);
    try {
      await link.send(encodeMessage(message));
    } catch (error) {
      if (links.get(to) === link) drop(to);
      throw error;
    }
  };
  return {
    send,
    drop,
    broadcast(message) {
      for (const peer of streams.peers())
        void send(peer, message).catch((error: unknown) =>
          logger.debug("member not reached", { peer, kind: message.kind, code: errorCode(error) }),
        );
    },
    flush: async () => {
      await Promise.all([...links.values()].map((link) => link.flush()));
    },
    async [Symbol.asyncDispose]() {
      serving[Symbol.dispose]();
      await Promise.all([...links.values()].map((link) => link.close()));
      links.clear();
    },
  };
}

/** The way to one peer: messages leave in order. */
class Link {
  readonly #peer: PeerId;
  readonly #ports: TransportPorts;
  readonly #stop = new AbortController();
  #stream: PeerStream | undefined;
  #waiting = 0;
  #tail: Promise<void> = Promise.resolve();

  constructor(peer: PeerId, ports: TransportPorts) {
    this.#peer = peer;
    this.#ports = ports;
  }

  get crowded(): boolean {
    return this.#waiting >= MAX_WAITING;
  }

  send(frame: Uint8Array): Promise<void> {
    this.#waiting++;
    const sent = this.#tail.then(() => this.#deliver(frame));
    this.#tail = sent.catch(() => undefined);
    return sent;
  }

  flush(): Promise<void> {
    return this.#tail;
  }

  abort(): void {
    const reason = new Error("link dropped");
    this.#stop.abort(reason);
    this.#stream?.abort(reason);
  }

  /**
   * Ends when the other side has read all that was sent, which its own end says: a stream that is broken before
   * loses what waits to be read. What still waits for a stream is given up, and so is a peer that takes too long.
   */
  async close(): Promise<void> {
    if (this.#stream !== undefined) {
      const closed = new AbortController();
      const late = this.#ports.clock.sleep(CLOSE_MS, { signal: closed.signal }).catch(() => undefined);
      await Promise.race([farewell(this.#stream), late]).catch(() => undefined);
      closed.abort();
    }
    this.#stop.abort(new Error("election stopped"));
  }

  async #deliver(frame: Uint8Array): Promise<void> {
    try {
      this.#stop.signal.throwIfAborted();
      this.#stream ??= await this.#open();
      await this.#stream.send(frame);
    } finally {
      this.#waiting--;
    }
  }

  async #open(): Promise<PeerStream> {
    const { clock, streams } = this.#ports;
    const opened = new AbortController();
    void clock
      .sleep(OPEN_MS, { signal: opened.signal })
      .then(() => this.abort())
      .catch(() => undefined);
    try {
      return await streams.open(this.#peer, PROTOCOL, { signal: this.#stop.signal });
    } finally {
      opened.abort();
    }
  }
}

async function farewell(stream: PeerStream): Promise<void> {
  await stream.close();
  for await (const _ of stream.frames);
}
