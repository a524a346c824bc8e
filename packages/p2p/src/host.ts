import { bootstrap } from "@libp2p/bootstrap";
import type { GossipSub } from "@chainsafe/libp2p-gossipsub";
import { type Identify, identify, type IdentifyPush, identifyPush } from "@libp2p/identify";
import type { CircuitRelayService } from "@libp2p/circuit-relay-v2";
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
import { type KadDHT, kadDHT } from "@libp2p/kad-dht";
import { mdns, type MulticastDNSComponents } from "@libp2p/mdns";
import { noise } from "@libp2p/noise";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type Ping, ping } from "@libp2p/ping";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import type { Clock, Logger, PeerId } from "@chorus/kernel";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2pOptions } from "libp2p";
import { gated } from "./closed-mesh.ts";
import type { Encryption } from "./contract.ts";
import { limitConnections } from "./doorway.ts";
import { gossipInPieces } from "./gossip-inside.ts";
import { gossipOptions } from "./gossip-options.ts";
import { hardened } from "./hardened.ts";
import type { Identity } from "./identity.ts";
import { joinKey } from "./join-proof.ts";
import { limits } from "./limits.ts";
import { meshNames } from "./names.ts";
import type { Settings } from "./options.ts";
import { dhtOptions } from "./routing.ts";
import { asPeerId, dialable } from "./peer-ids.ts";
import { Relays } from "./relay-client.ts";
import { freePlaces, relayServer } from "./relay-server.ts";
import { transports } from "./transports.ts";

/** What runs on libp2p in every node. */
interface HostServices extends Record<string, unknown> {
  readonly identify: Identify;
  readonly identifyPush: IdentifyPush;
  readonly ping: Ping;
  readonly gossip: GossipSub;
  readonly dht: KadDHT;
  /** Only where others are relayed. */
  readonly relay?: CircuitRelayService;
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
  /** A peer was cut off for abuse of its connection. */
  readonly offend?: (peer: PeerId, problem: string) => void;
  /** @default none: it only dials through those of others */
  readonly relays?: Relays;
  /** Changes single settings, so that tests can show what each is there for. */
  readonly adjust?: (settings: HostSettings) => HostSettings;
}

interface EncrypterComponents {
  readonly peerId: Libp2pPeerId;
  readonly privateKey: PrivateKey;
  readonly logger: ComponentLogger;
  readonly upgrader: Upgrader;
}

const FIRST_OWN_ADDRESSES = 4;
const MONTH_MS = 30 * 24 * 3_600_000;

/** Not started yet. The figures are those that meshed, healed and gossiped when measured; DESIGN.md says which trap each closes. */
export async function createHost(context: HostContext): Promise<Host> {
  const { adjust = (settings) => settings } = context;
  const self = peerIdFromPrivateKey(context.identity.privateKey);
  const node = await createLibp2p(
    adjust(hardened(hostSettings(context), { offend: () => undefined, ...context, self })),
  );
  limitConnections(node);
  const { relay } = node.services;
  if (relay !== undefined) freePlaces(node, relay);
  return node;
}

function hostSettings(context: HostContext): HostSettings {
  const { settings, identity, clock, relays = new Relays({ ...context, wanted: 0 }) } = context;
  const { dhtProtocol } = meshNames(settings.cluster, settings.clusterSecret);
  return {
    start: false,
    privateKey: identity.privateKey,
    addresses: {
      listen: [...settings.listen],
      announce: [...settings.announce],
      announceFilter: (own) => withRelays(own, relays, identity.signer.peer),
    },
    transports: [...transports(clock, relays)],
    connectionEncrypters: encrypters(context),
    streamMuxers: [
      yamux({
        streamOptions: {
          maxWriteBufferLength: limits.maxWriteBufferBytes,
          maxStreamWindowSize: limits.maxStreamWindowBytes,
        },
      }),
    ],
    peerDiscovery: discovery(context),
    connectionGater: gater(settings.isRevoked),
    peerStore: { maxAddressAge: MONTH_MS, maxPeerAge: MONTH_MS },
    connectionManager: {
      // The upkeep brings lost peers back, and knows who left on purpose.
      reconnectRetries: 0,
      maxConnections: limits.maxConnections,
      maxIncomingPendingConnections: limits.maxIncomingPendingConnections,
      inboundConnectionThreshold: limits.inboundConnectionThreshold,
      dialTimeout: limits.dialTimeoutMs,
      addressDialTimeout: limits.addressDialTimeoutMs,
    },
    connectionMonitor: { pingInterval: 3_000, pingTimeout: { minTimeout: 5_000, maxTimeout: 10_000 } },
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping({ maxInboundStreams: limits.maxPingStreams, maxOutboundStreams: limits.maxPingStreams }),
      gossip: gossipInPieces(gossipOptions(settings.topics)),
      dht: kadDHT(dhtOptions(dhtProtocol)),
      ...(settings.serveRelay && { relay: relayServer(clock) }),
    },
  };
}

/** Relays near the front: whoever keeps only some of our addresses should keep those that surely work. */
function withRelays(own: readonly Multiaddr[], relays: Relays, self: PeerId): Multiaddr[] {
  const through = relays.addresses().map((address) => dialable(address, self));
  return [...own.slice(0, FIRST_OWN_ADDRESSES), ...through, ...own.slice(FIRST_OWN_ADDRESSES)];
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
    denyInboundRelayReservation: deny,
    denyOutboundRelayedConnection: (source, target) => deny(source) || deny(target),
  };
}
