import type { GossipsubOpts } from "@chainsafe/libp2p-gossipsub";

type RawMessage = Parameters<NonNullable<GossipsubOpts["fastMsgIdFn"]>>[0];
type TopicScore = NonNullable<NonNullable<GossipsubOpts["scoreParams"]>["topics"]>[string];

const MIB = 1_048_576;

/** Without topic parameters a rejected message costs its forwarder nothing. */
const topicScore: TopicScore = {
  topicWeight: 1,
  timeInMeshWeight: 0.01,
  timeInMeshQuantum: 1_000,
  timeInMeshCap: 100,
  firstMessageDeliveriesWeight: 0.5,
  firstMessageDeliveriesDecay: 0.9,
  firstMessageDeliveriesCap: 20,
  // Our topics are quiet for long times: a peer must not lose score for having nothing to say.
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.9,
  meshMessageDeliveriesCap: 20,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5_000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.9,
  invalidMessageDeliveriesWeight: -10,
  invalidMessageDeliveriesDecay: 0.9,
};

/** gossipsub for a mesh of 2 to 30 peers, many of them perhaps on one host. */
export function gossipOptions(topics: readonly string[]): Partial<GossipsubOpts> {
  return {
    globalSignaturePolicy: "StrictSign",
    fallbackToFloodsub: false,
    floodPublish: true,
    allowPublishToZeroTopicPeers: true,
    emitSelf: false,
    allowedTopics: [...topics],
    maxInboundDataLength: MIB + 4096,
    // gossipsub has no backpressure of its own: this is what a slow neighbour may cost.
    maxOutboundBufferSize: 16 * MIB,
    // Unset, every duplicate would have its signature verified.
    fastMsgIdFn: (message: RawMessage) => latin1(message.from) + latin1(message.seqno),
    msgIdToStrFn: latin1,
    scoreParams: {
      // Peers behind one address would all be cast out.
      IPColocationFactorWeight: 0,
      topics: Object.fromEntries(topics.map((topic) => [topic, topicScore])),
    },
  };
}

function latin1(bytes?: Uint8Array): string {
  return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1") : "";
}
