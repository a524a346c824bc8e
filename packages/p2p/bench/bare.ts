import { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { bootstrap as bootstrapDiscovery } from "@libp2p/bootstrap";
import { identify } from "@libp2p/identify";
import { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import type { Contender } from "./contender.ts";

const TOPIC = "bench";
const latin1 = (bytes?: Uint8Array): string => Buffer.from(bytes ?? []).toString("latin1");

/**
 * libp2p alone, with the same transport, encryption, muxer, signed gossip and DHT, and with the two settings without
 * which it is out of the race on one machine: duplicates recognised before they are verified, and no penalty for
 * neighbours behind one address.
 */
export async function startBare(bootstrap: readonly string[]): Promise<Contender> {
  const node = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 100, maxIncomingPendingConnections: 100 },
    peerDiscovery: bootstrap.length > 0 ? [bootstrapDiscovery({ list: [...bootstrap], timeout: 0 })] : [],
    services: {
      identify: identify(),
      ping: ping({ maxInboundStreams: 16, maxOutboundStreams: 16 }),
      dht: kadDHT({
        protocol: "/bench/kad/1.0.0",
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
      }),
      gossip: gossipsub({
        globalSignaturePolicy: "StrictSign",
        allowPublishToZeroTopicPeers: true,
        fastMsgIdFn: (message) => latin1(message.from) + latin1(message.seqno),
        msgIdToStrFn: latin1,
        scoreParams: { IPColocationFactorWeight: 0 },
      }),
    },
  });
  const { gossip } = node.services;
  gossip.subscribe(TOPIC);
  return {
    address: String(node.getMultiaddrs()[0]),
    peers: () => node.getPeers().length,
    publish: async (data) => void (await gossip.publish(TOPIC, data)),
    onMessage: (handle) =>
      gossip.addEventListener("message", ({ detail }) => {
        if (detail.topic === TOPIC) handle(detail.data);
      }),
  };
}
