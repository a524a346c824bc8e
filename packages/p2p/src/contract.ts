import type { Clock, Logger, PeerId, PubSub, Signer, Streams } from "@chorus/kernel";

/** What the node is given. */
export interface P2pComponents {
  /** @default silentLogger */
  readonly logger?: Logger;
  /** Steers redials, watchdog, join deadline and the age check of messages. @default systemClock */
  readonly clock?: Clock;
  /**
   * The W3C trace context of the work in progress, asked at every publish and handed to the subscribers in the
   * envelope. Anything that is no valid traceparent is left out. @default none
   */
  readonly traceparent?: () => string | undefined;
}

/** How a connection is encrypted. */
export type Encryption = "tls" | "noise";

/** Tuning of one node. Addresses are libp2p multiaddrs; the peer in them may be written `k51…` or `12D3…`. */
export interface P2pOptions {
  /** The mesh this node belongs to, 1 to 64 characters; messages of another one are refused. */
  readonly cluster: string;
  /** 32 random bytes, not all zero, that every member knows. Without it the mesh is open: anyone who connects is a member. */
  readonly clusterSecret?: Uint8Array;
  /** The node's private key; created with mode 0600, with missing folders, when there is none. */
  readonly identityFile: string;
  /**
   * TCP (`/ip4/0.0.0.0/tcp/4001`) and WebSocket (`/ip4/127.0.0.1/tcp/4002/ws`) in any number; both are dialled
   * without being listened on. Port 0 lets the system choose. An empty list: only dials. Anything else is refused.
   * @default ["/ip4/127.0.0.1/tcp/0"]
   */
  readonly listen?: readonly string[];
  /**
   * What to tell others instead of the listen addresses, such as that of the reverse proxy which ends TLS before
   * a WebSocket (`/dns4/agent.example/tcp/443/tls/ws`). @default []
   */
  readonly announce?: readonly string[];
  /** Members to dial until they answer, each ending in `/p2p/<peer>`. @default [] */
  readonly bootstrap?: readonly string[];
  /** Find members on the same network by multicast DNS. @default true */
  readonly mdns?: boolean;
  /** Every topic of this mesh, at most 64 of 1 to 256 characters; publishing or subscribing elsewhere is refused. */
  readonly topics: readonly string[];
  /**
   * Peers that must not take part; asked again while they are connected. When it throws, the peer counts as one of
   * them; a warning says so once. @default nobody
   */
  readonly isRevoked?: (peer: PeerId) => boolean;
  /** What to speak, the most wanted first. @default ["tls", "noise"] */
  readonly encryption?: readonly Encryption[];
  /**
   * Members that were met and where they listen, so that a node that starts again finds its mesh by itself. Kept
   * with mode 0600; false keeps nothing. @default beside `identityFile`, its name followed by `.peers`
   */
  readonly addressBookFile?: string | false;
  /** Relay connections between members that cannot reach each other; costs their traffic. @default false */
  readonly serveRelay?: boolean;
  /** Behind NAT: be reachable through so many members that relay at once, 0 to 4. @default 0 */
  readonly useRelays?: number;
}

/** Who holds what. Records live in the members' memory and expire unless repeated; the node repeats its own. */
export interface Routing {
  /**
   * Tells the mesh that this peer holds `key` (any bytes, at most 256). Nobody acknowledges a record, so this says
   * that those closest to the key have been told, not how many keep it; alone in the mesh it resolves too.
   */
  provide(key: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Peers said to hold `key`, each once, this one included; unverified hints. Ends when the search does. */
  providers(key: Uint8Array, options: { readonly signal: AbortSignal }): AsyncIterable<PeerId>;
}

/** One open connection; a pair of peers that dialled each other at the same moment may have two. */
export interface ConnectionInfo {
  readonly peer: PeerId;
  readonly encryption: Encryption;
  /** The remote end, a multiaddr ending in `/p2p/k51…`. */
  readonly address: string;
}

/** A running node. Disposing it breaks its streams, leaves the mesh and frees the port. */
export interface P2p extends AsyncDisposable {
  /** Signs in the name of this node; `signer.peer` is its name. */
  readonly signer: Signer;
  readonly pubsub: PubSub;
  readonly streams: Streams;
  readonly routing: Routing;
  /**
   * Where others can dial this node, each ending in `/p2p/k51…`, fit for `bootstrap`. Some other libp2p programs
   * understand only the older spelling of the same name, `12D3…`.
   */
  addresses(): readonly string[];
  connections(): readonly ConnectionInfo[];
}
