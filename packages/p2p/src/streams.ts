import {
  type Clock,
  InvalidInputError,
  type Logger,
  type PeerId,
  type PeerStream,
  type Streams,
} from "@chorus/kernel";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { checkedText, checkFunction, signalOf } from "./checks.ts";
import { ClosedError, UnreachableError } from "./errors.ts";
import { Patience } from "./patience.ts";
import { asPeerId } from "./peer-ids.ts";
import { type HeldStream, peerStream } from "./peer-stream.ts";
import { Audience } from "./queue.ts";

/** What the port is made from. */
export interface StreamsContext {
  readonly node: Libp2p;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isRevoked: (peer: PeerId) => boolean;
  /** An open connection to a member, dialled when there is none; rejects when that fails. */
  readonly reach: (peer: PeerId, signal: AbortSignal) => Promise<Connection>;
}

/** The kernel's port, and its end. */
export interface MeshStreams extends Streams {
  close(): void;
}

/** Streams that one peer may hold open on one protocol: more are reset, others' go on. */
const MAX_INBOUND_STREAMS = 64;
const MAX_OUTBOUND_STREAMS = 256;
/** Multistream-select would carry 1,024 bytes. */
const MAX_PROTOCOL_CHARACTERS = 256;
/** A peer that is connected but does not answer holds up its caller for no longer than this. */
const OPEN_TIMEOUT_MS = 10_000;
const MAX_UNREAD_CHANGES = 4096;

/** The direct streams of one node. */
export function meshStreams(context: StreamsContext): MeshStreams {
  const { node } = context;
  const changes = new Audience<{ readonly peer: PeerId; readonly connected: boolean }>(MAX_UNREAD_CHANGES);
  const open = new Set<HeldStream>();
  const patience = new Patience(context.clock);
  let closed = false;
  for (const [event, connected] of [["peer:connect", true] as const, ["peer:disconnect", false] as const])
    node.addEventListener(event, ({ detail }) => {
      const peer = asPeerId(detail);
      if (peer !== undefined) changes.tell({ peer, connected });
    });
  return {
    peers: () => connectedPeers(node),
    handle(protocol, handler) {
      checkedText(protocol, "protocol", MAX_PROTOCOL_CHARACTERS);
      checkFunction(handler, "handler");
      if (closed) throw new ClosedError();
      return serve({ ...context, open, patience }, { protocol, handler });
    },
    async open(peer, protocol, options) {
      const signal = signalOf(options);
      checkedText(protocol, "protocol", MAX_PROTOCOL_CHARACTERS);
      if (closed) throw new ClosedError();
      return dialogue({ ...context, open }, { peer, protocol, signal });
    },
    changes(options) {
      const signal = signalOf(options);
      if (closed) throw new ClosedError();
      return changes.join(signal);
    },
    close() {
      closed = true;
      patience.close();
      const reason = new ClosedError();
      for (const stream of open) stream.abort(reason);
      changes.end();
    },
  };
}

interface Wish {
  readonly peer: PeerId;
  readonly protocol: string;
  readonly signal: AbortSignal;
}

async function dialogue(
  { reach, isRevoked, open }: StreamsContext & { readonly open: Set<HeldStream> },
  { peer, protocol, signal }: Wish,
): Promise<HeldStream> {
  signal.throwIfAborted();
  if (isRevoked(peer)) throw new UnreachableError(peer, protocol);
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]);
    const connection = await reach(peer, patience);
    const options = { signal: patience, maxOutboundStreams: MAX_OUTBOUND_STREAMS };
    const stream = await connection.newStream([protocol], options);
    signal.throwIfAborted();
    return hold(open, { peer, stream, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new UnreachableError(peer, protocol, cause);
  }
}

/** Connected members, sorted. */
export function connectedPeers(node: Libp2p): readonly PeerId[] {
  return node
    .getPeers()
    .flatMap((id) => asPeerId(id) ?? [])
    .toSorted();
}

interface Service {
  readonly protocol: string;
  readonly handler: (stream: PeerStream) => Promise<void>;
}

interface ServiceContext extends StreamsContext {
  readonly open: Set<HeldStream>;
  readonly patience: Patience;
}

function serve(context: ServiceContext, { protocol, handler }: Service): Disposable {
  const { node, logger, isRevoked, open, patience } = context;
  if (node.getProtocols().includes(protocol))
    throw new InvalidInputError("protocol", `${protocol} is served already`);
  const complain = (error: unknown): void => logger.warn("protocol registration failed", { protocol, error });
  /** libp2p counts on each connection; a peer may have several. */
  const held = new Map<PeerId, number>();
  const answer = (stream: Stream, { remotePeer }: Connection): void => {
    const peer = asPeerId(remotePeer);
    const count = peer === undefined ? 0 : (held.get(peer) ?? 0);
    if (stream.status !== "open") return;
    if (peer === undefined || isRevoked(peer) || count >= MAX_INBOUND_STREAMS) {
      stream.abort(new Error("not a member, or too many streams"));
      return;
    }
    held.set(peer, count + 1);
    const talk = hold(open, { peer, stream });
    patience.watch(talk);
    stream.addEventListener("close", () => {
      patience.forget(talk);
      const left = (held.get(peer) ?? 1) - 1;
      if (left > 0) held.set(peer, left);
      else held.delete(peer);
    });
    // Not returned to libp2p: it would wait for the whole conversation before it forgets the negotiation.
    void run(handler, talk).catch((error: unknown) => {
      logger.debug("stream handler failed", { protocol, peer, error });
      talk.abort(error instanceof Error ? error : new Error(String(error)));
    });
  };
  const limits = { maxInboundStreams: MAX_INBOUND_STREAMS, maxOutboundStreams: MAX_OUTBOUND_STREAMS };
  node.handle(protocol, answer, limits).catch(complain);
  return {
    [Symbol.dispose]: () => {
      node.unhandle(protocol).catch(complain);
    },
  };
}

async function run(handler: Service["handler"], stream: HeldStream): Promise<void> {
  await handler(stream);
  stream.answered();
}

interface Holding {
  readonly peer: PeerId;
  readonly stream: Stream;
  readonly signal?: AbortSignal;
}

/** Keeps track of a stream for as long as it lives, and breaks it when its opener's signal fires. */
function hold(open: Set<HeldStream>, { peer, stream, signal }: Holding): HeldStream {
  const held = peerStream(peer, stream);
  const cancel = (): void => {
    const reason: unknown = signal?.reason;
    held.abort(reason instanceof Error ? reason : new Error(String(reason)));
  };
  open.add(held);
  signal?.addEventListener("abort", cancel, { once: true });
  stream.addEventListener("close", () => {
    open.delete(held);
    signal?.removeEventListener("abort", cancel);
  });
  return held;
}
