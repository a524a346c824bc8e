import {
  circuitRelayTransport,
  type CircuitRelayTransportComponents,
  RELAY_V2_HOP_CODEC,
} from "@libp2p/circuit-relay-v2";
import type { Connection, Libp2p, PeerId as Libp2pPeerId, Stream, Transport } from "@libp2p/interface";
import type { Clock, Logger } from "@chorus/kernel";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { limits } from "./limits.ts";
import { asPeerId, isRelayed } from "./peer-ids.ts";

/** What the search for relays is made from. */
export interface RelaysContext {
  /** How many to be reachable through at once; 0: only dials through others' relays. */
  readonly wanted: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Reservation {
  readonly relay: Libp2pPeerId;
  readonly details: { readonly reservation: { readonly addrs: readonly Uint8Array[] } };
}

/** A connected member that relays, and when to ask it (monotonic). */
interface Offer {
  readonly peer: Libp2pPeerId;
  at: number;
  failures: number;
}

/** The places we hold, as libp2p keeps and renews them; our names for the parts that it keeps to itself. */
interface Places {
  addRelay(peer: Libp2pPeerId, type: "configured"): Promise<Reservation>;
  hasReservation(peer: Libp2pPeerId): boolean;
  readonly relayFilter: { remove(bytes: Uint8Array): boolean };
  addEventListener(
    name: "relay:created-reservation" | "relay:removed",
    listener: (event: CustomEvent<Reservation>) => void,
  ): void;
}

interface TransportInside extends Transport {
  readonly reservationStore: Places;
  onStop(stream: Stream, connection: Connection): Promise<void>;
}

/** A relay may have many addresses; those who want to reach us know it as a member. */
const MAX_ADDRESSES_OF_RELAY = 2;
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;

/**
 * Keeps this node reachable through members that relay: as many as wanted, found again when one is lost.
 * libp2p's own search would walk the whole network for relays and never ask one again that was away once.
 */
export class Relays {
  readonly #context: RelaysContext;
  readonly #stop = new AbortController();
  readonly #offers = new Map<string, Offer>();
  readonly #circuits = new Map<string, readonly Multiaddr[]>();
  #places: Places | undefined;
  #poke: (() => void) | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(context: RelaysContext) {
    this.#context = context;
  }

  /** Dials through relays, and takes the connections that come through those we have chosen. */
  transport(): (components: CircuitRelayTransportComponents) => Transport {
    const make = circuitRelayTransport({
      maxInboundStopStreams: limits.maxRelayedOfPeer,
      maxOutboundStopStreams: limits.maxRelayedOfPeer,
      // We choose: discovery is told that it has seen everyone.
      discoveryFilter: { has: () => true, add: () => undefined, remove: () => true },
    });
    return (components) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- libp2p does not publish the type; relay.test.ts notices a change
      const transport = make(components) as TransportInside;
      const { reservationStore } = transport;
      const onStop = transport.onStop.bind(transport);
      this.#places = reservationStore;
      transport.onStop = async (stream, connection) => {
        if (reservationStore.hasReservation(connection.remotePeer)) await onStop(stream, connection);
        else stream.abort(new Error("not through this relay"));
      };
      return transport;
    };
  }

  /** Where others can dial us through relays, each ending in `/p2p-circuit`. */
  addresses(): readonly Multiaddr[] {
    return [...this.#circuits.values()].flat();
  }

  /** Asks for places from now on, until {@link stop}. */
  start(node: Libp2p): void {
    const places = this.#places;
    if (this.#context.wanted === 0 || places === undefined) return;
    places.addEventListener("relay:created-reservation", ({ detail: { relay, details } }) => {
      const own = details.reservation.addrs.slice(0, MAX_ADDRESSES_OF_RELAY);
      this.#set(
        node,
        relay,
        own.map((bytes) => multiaddr(bytes).encapsulate("/p2p-circuit")),
      );
    });
    places.addEventListener("relay:removed", ({ detail: { relay } }) => this.#set(node, relay, []));
    node.addEventListener("peer:identify", ({ detail: { peerId, protocols, connection } }) => {
      const relays = protocols.includes(RELAY_V2_HOP_CODEC) && !isRelayed(connection.remoteAddr);
      if (!relays || this.#offers.has(peerId.toString())) return;
      this.#offers.set(peerId.toString(), { peer: peerId, at: 0, failures: 0 });
      this.#poke?.();
    });
    node.addEventListener("peer:disconnect", ({ detail: peer }) => {
      this.#offers.delete(peer.toString());
      this.#poke?.();
    });
    this.#loop = this.#run(places);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#poke?.();
    await this.#loop;
  }

  #set(node: Libp2p, relay: Libp2pPeerId, addresses: readonly Multiaddr[]): void {
    if (addresses.length > 0) this.#circuits.set(relay.toString(), addresses);
    else this.#circuits.delete(relay.toString());
    this.#context.logger.info("places at relays changed", {
      relay: asPeerId(relay),
      held: addresses.length > 0,
    });
    // Everyone connected hears of it by identify push.
    node.peerStore
      .patch(node.peerId, { multiaddrs: node.getMultiaddrs() })
      .catch((error: unknown) => this.#context.logger.warn("addresses were not published", { error }));
    this.#poke?.();
  }

  async #run(places: Places): Promise<void> {
    const { clock } = this.#context;
    while (!this.#stop.signal.aborted) {
      const offer = this.#next();
      const restMs = offer === undefined ? Infinity : offer.at - clock.monotonic();
      if (offer !== undefined && restMs <= 0) await this.#ask(places, offer);
      else await this.#rest(restMs);
    }
  }

  #next(): Offer | undefined {
    if (this.#circuits.size >= this.#context.wanted) return undefined;
    const free = [...this.#offers].filter(([name]) => !this.#circuits.has(name)).map(([, offer]) => offer);
    return free.reduce<Offer | undefined>(
      (first, offer) => (first && first.at <= offer.at ? first : offer),
      undefined,
    );
  }

  async #ask(places: Places, offer: Offer): Promise<void> {
    const { clock, logger } = this.#context;
    try {
      await places.addRelay(offer.peer, "configured");
      offer.failures = 0;
    } catch (error) {
      // Otherwise a relay that was away once would count as no relay for ever.
      places.relayFilter.remove(offer.peer.toMultihash().bytes);
      logger.debug("a relay refused", { relay: asPeerId(offer.peer), error });
      offer.failures++;
    }
    offer.at =
      clock.monotonic() + Math.min(FIRST_RETRY_MS * 2 ** Math.min(offer.failures, 10), LAST_RETRY_MS);
  }

  /** For so long, or until something changes. */
  async #rest(ms: number): Promise<void> {
    const poked = new AbortController();
    this.#poke = () => poked.abort();
    if (this.#stop.signal.aborted) return;
    // Timers end at 2^31 ms; a look now and then costs nothing.
    await this.#context.clock.sleep(Math.min(ms, LAST_RETRY_MS), poked).catch(() => undefined);
    this.#poke = undefined;
  }
}
