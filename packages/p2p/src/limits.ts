const KIB = 1_024;
const MIB = 1_048_576;

/**
 * Every bound on connections and streams that libp2p is given. What our own protocols bound stands where they are
 * (`streams.ts`, `frames.ts`, `patience.ts`), gossip's in `gossip-options.ts`, what strangers may do in `doorway.ts`.
 */
export const limits = {
  /** Members at once: seven times the largest mesh this is tuned for, at about 1.5 MiB each. More are refused. */
  maxConnections: 200,
  /** libp2p refuses newcomers beyond this; `doorway.ts` sees to it that it is never reached. */
  maxIncomingPendingConnections: 256,
  /** New connections a second from one address; libp2p's 5 leaves peers of one host or one NAT outside for ever. */
  inboundConnectionThreshold: 100,
  /** Sockets of one listener, so that half-open ones cannot use up the process's file descriptors. */
  maxSockets: 400,
  /** From the connection to the WebSocket's upgrade; after that libp2p's own deadlines count. */
  webSocketUpgradeMs: 10_000,
  /** One WebSocket message; ours are pieces of at most 160 KiB. Unset, anyone may make us hold 100 MiB. */
  maxWebSocketMessageBytes: MIB,
  /** For one address, handshake and proof included; libp2p tries the addresses of a peer one after the other. */
  addressDialTimeoutMs: 8_000,
  /** For all addresses of a peer. */
  dialTimeoutMs: 30_000,
  /** For all direct addresses of a peer that can be reached through a relay too; half of that is a far handshake. */
  directDialTimeoutMs: 3_000,
  /** What one stream may hold unsent before it is reset: ours wait long before, gossip's queue has its own bound. */
  maxWriteBufferBytes: 16 * MIB,
  /** A paused stream still receives what its window allows, and libp2p resets it at 4 MiB of unread data. */
  maxStreamWindowBytes: 2 * MIB,
  /** Ping is shared by the connection monitor, the table of kad-dht and members' own pings; one is too few. */
  maxPingStreams: 16,
  /** Members that may be reached through one relay; those that leave free their place at once. */
  maxReservations: 64,
  /** A place is kept for so long; its holder renews it five minutes earlier. */
  reservationMs: 3_600_000,
  /** Relayed connections to one member, and from one: a whole mesh of 30 twice over. */
  maxRelayedOfPeer: 64,
  /** Each direction of one relayed connection, on average; a relay serves others beside its own work. */
  relayedBytesPerSecond: 8 * MIB,
  /** At once, before the pace counts. */
  relayedBurstBytes: 8 * MIB,
  /** What a relay holds for a slow side of one connection, above the 2 MiB of the window. */
  relayedBacklogBytes: 256 * KIB,
  /** For the messages that set up a relayed connection. */
  relayHandshakeMs: 10_000,
} as const;
