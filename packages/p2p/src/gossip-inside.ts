import { type GossipSub, gossipsub, type GossipsubOpts } from "@chainsafe/libp2p-gossipsub";

type Components = Parameters<ReturnType<typeof gossipsub>>[0];

/** One message as gossip sends it. */
interface RpcMessage {
  readonly data?: Uint8Array;
}

/** What gossipsub does not show in its type; its version is pinned, and a test fails when one of these is gone. */
interface GossipInside {
  handleIWant(peer: string, wanted: unknown): RpcMessage[];
  sendRpc(peer: string, rpc: { subscriptions: never[]; messages: RpcMessage[] }): boolean;
  dumpPeerScoreStats(): Readonly<
    Record<
      string,
      { readonly topics: Readonly<Record<string, { readonly invalidMessageDeliveries: number }>> }
    >
  >;
}

/** Below what a receiver takes in one piece, with room for the frames around the messages. */
const MAX_ANSWER_BYTES = 983_040;
/** Topic, key, signature and sequence number of one message. */
const MESSAGE_OVERHEAD_BYTES = 512;

/**
 * gossipsub that answers requests for missed messages in pieces: it would put all of them into one, and a
 * receiver closes the stream at more than it takes at once, so that catching up would cost the connection.
 */
export function gossipInPieces(options: Partial<GossipsubOpts>): (components: Components) => GossipSub {
  return (components) => {
    const gossip = gossipsub(options)(components);
    const within = inside(gossip);
    const answer = within.handleIWant.bind(gossip);
    within.handleIWant = (peer, wanted) => {
      const pieces = piecesOf(answer(peer, wanted));
      const last = pieces.pop() ?? [];
      for (const messages of pieces) within.sendRpc(peer, { subscriptions: [], messages });
      return last;
    };
    return gossip;
  };
}

/** In order, each piece small enough, none empty. */
export function piecesOf<T extends RpcMessage>(messages: readonly T[]): T[][] {
  const pieces: T[][] = [];
  let room = 0;
  for (const message of messages) {
    const size = (message.data?.length ?? 0) + MESSAGE_OVERHEAD_BYTES;
    if (size > room) {
      pieces.push([]);
      room = MAX_ANSWER_BYTES;
    }
    pieces.at(-1)?.push(message);
    room -= size;
  }
  return pieces;
}

/** How many invalid messages each peer has brought lately, its older ones counting less (libp2p's spelling of names). */
export function invalidDeliveries(gossip: GossipSub): ReadonlyMap<string, number> {
  const stats = Object.entries(inside(gossip).dumpPeerScoreStats());
  return new Map(
    stats.map(([peer, { topics }]) => [
      peer,
      Object.values(topics).reduce((sum, { invalidMessageDeliveries }) => sum + invalidMessageDeliveries, 0),
    ]),
  );
}

function inside(gossip: GossipSub): GossipInside {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- private members of a pinned version, see GossipInside
  return gossip as unknown as GossipInside;
}
