import { bootstrap } from "@libp2p/bootstrap";
import type { GossipSub } from "@chainsafe/libp2p-gossipsub";
import { type Identify, identify, type IdentifyPush, identifyPush } from "@libp2p/identify";
import type {
  ComponentLogger,
  ConnectionEncrypter,
  ConnectionGater,
  Libp2p,
  PeerDiscovery,
  PeerId as Libp2pPeerId,
  PeerInfo,
  PrivateKey,
  Upgrader,
} from "@libp2p/interface";
import { type KadDHT, kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { mdns, type MulticastDNSComponents } from "@libp2p/mdns";
import { noise } from "@libp2p/noise";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import type { Clock, Logger, PeerId } from "@chorus/kernel";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2pOptions } from "libp2p";
import { gated } from "./closed-mesh.ts";
import type { Encryption } from "./contract.ts";
import { limitConnections } from "./doorway.ts";
import { gossipInPieces } from "./gossip-inside.ts";
import { gossipOptions } from "./gossip-options.ts";
import { hardened } from "./hardened.ts";
import type { Identity } from "./identity.ts";
import { joinKey } from "./join-proof.ts";
import { meshNames } from "./names.ts";
import type { Settings } from "./options.ts";
import { asPeerId, dialable } from "./peer-ids.ts";

/** What runs on libp2p in every node. */
interface HostServices extends Record<string, unknown> {
  readonly identify: Identify;
  readonly identifyPush: IdentifyPush;
  readonly ping: Ping;
  readonly gossip: GossipSub;
  readonly dht: KadDHT;
}

/** libp2p with exactly the services of this mesh. */
export type Host = Libp2p<HostServices>;

/** Every setting that libp2p gets from us. */
export type HostSettings = Libp2pOptions<HostServices>;

/** What the host is made from. */
export interface HostContext {
  readonly settings: Settings;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Every answer of multicast DNS, known peers included; libp2p's own event tells of each peer only once. */
  readonly onFound: (found: PeerInfo) => void;
  /** Changes single settings, so that tests can show what each is there for. */
  readonly adjust?: (settings: HostSettings) => HostSettings;
}

interface EncrypterComponents {
  readonly peerId: Libp2pPeerId;
  readonly privateKey: PrivateKey;
  readonly logger: ComponentLogger;
  readonly upgrader: Upgrader;
}

/** For one address, handshake and proof included; libp2p tries the addresses of a peer one after the other. */
export const ADDRESS_DIAL_TIMEOUT_MS = 8_000;

const MONTH_MS = 30 * 24 * 3_600_000;
const MIB = 1_048_576;

/** Not started yet. The figures are those that meshed, healed and gossiped when measured; DESIGN.md says which trap each closes. */
export async function createHost(context: HostContext): Promise<Host> {
  const { adjust = (settings) => settings } = context;
  const self = peerIdFromPrivateKey(context.identity.privateKey);
  const node = await createLibp2p(adjust(hardened(hostSettings(context), { ...context, self })));
  limitConnections(node);
  return node;
}

function hostSettings(context: HostContext): HostSettings {
  const { settings, identity } = context;
  const { dhtProtocol } = meshNames(settings.cluster, settings.clusterSecret);
  return {
    start: false,
    privateKey: identity.privateKey,
    addresses: { listen: [...settings.listen], announce: [...settings.announce] },
    transports: [
      tcp({
        maxConnections: 400,
        dialOpts: { keepAlive: true, keepAliveInitialDelay: 5_000, noDelay: true },
        listenOpts: { keepAlive: true, noDelay: true },
      }),
    ],
    connectionEncrypters: encrypters(context),
    // A paused stream still receives what its window allows, and 4 MiB of unread data reset it.
    streamMuxers: [
      yamux({ streamOptions: { maxWriteBufferLength: 16 * MIB, maxStreamWindowSize: 2 * MIB } }),
    ],
    peerDiscovery: discovery(context),
    connectionGater: gater(settings.isRevoked),
    peerStore: { maxAddressAge: MONTH_MS, maxPeerAge: MONTH_MS },
    connectionManager: {
      maxConnections: 200,
      maxIncomingPendingConnections: 256,
      inboundConnectionThreshold: 100,
      dialTimeout: 30_000,
      addressDialTimeout: ADDRESS_DIAL_TIMEOUT_MS,
    },
    connectionMonitor: { pingInterval: 3_000, pingTimeout: { minTimeout: 3_000, maxTimeout: 10_000 } },
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping({ maxInboundStreams: 16, maxOutboundStreams: 16 }),
      gossip: gossipInPieces(gossipOptions(settings.topics)),
      dht: kadDHT({
        protocol: dhtProtocol,
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
        kBucketSize: 8,
        initialQuerySelfInterval: 500,
      }),
    },
  };
}

/** In the order of preference; the dialling side's order decides. */
function encrypters({
  settings,
  identity,
  clock,
  logger,
}: HostContext): ((components: EncrypterComponents) => ConnectionEncrypter)[] {
  const { cluster, clusterSecret, encryption } = settings;
  const made: Record<Encryption, (components: EncrypterComponents) => ConnectionEncrypter> = {
    tls: tls(),
    noise: noise(),
  };
  const chosen = encryption.map((name) => made[name]);
  if (clusterSecret === undefined) return chosen;
  const gate = { key: joinKey(clusterSecret, cluster), self: identity.signer.peer, clock, logger };
  return chosen.map((make) => (components) => gated(make(components), gate));
}

function discovery({ settings, onFound }: HostContext): ((c: DiscoveryComponents) => PeerDiscovery)[] {
  const { cluster, clusterSecret, bootstrap: wanted } = settings;
  const found: ((components: DiscoveryComponents) => PeerDiscovery)[] = [];
  if (settings.mdns) {
    const { serviceTag } = meshNames(cluster, clusterSecret);
    found.push((components) => {
      const service = mdns({ interval: 5_000, serviceTag })(components);
      service.addEventListener("peer", ({ detail }) => onFound(detail));
      return service;
    });
  }
  const list = wanted.flatMap(({ peer, addresses }) =>
    addresses.map((address) => dialable(multiaddr(address), peer).toString()),
  );
  if (list.length > 0) found.push(bootstrap({ list, timeout: 0, tagName: "keep-alive-bootstrap" }));
  return found;
}

type DiscoveryComponents = MulticastDNSComponents & Parameters<ReturnType<typeof bootstrap>>[0];

/** Keeps out who is revoked, and who has no name in our system. */
function gater(isRevoked: (peer: PeerId) => boolean): ConnectionGater {
  const deny = (id: Libp2pPeerId): boolean => {
    const peer = asPeerId(id);
    return peer === undefined || isRevoked(peer);
  };
  return {
    denyDialPeer: deny,
    denyInboundEncryptedConnection: deny,
    denyOutboundEncryptedConnection: deny,
  };
}
