import {
  circuitRelayServer,
  type CircuitRelayServerComponents,
  type CircuitRelayService,
} from "@libp2p/circuit-relay-v2";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import type { Clock } from "@chorus/kernel";
import { limits } from "./limits.ts";
import { holdBack } from "./relay-flow.ts";

/** The relay as libp2p runs it; our names for the parts that it keeps to itself. */
interface RelayInside extends CircuitRelayService {
  onHop(stream: Stream, connection: Connection): Promise<void>;
  stopHop(...parameters: readonly unknown[]): Promise<Stream | undefined>;
}

/**
 * Relays for members. Its limits are counts and a pace, never libp2p's limit of bytes or seconds: a connection
 * that has one is "limited", and gossip, kad-dht and our own streams do not run on it.
 */
export function relayServer(clock: Clock): (components: CircuitRelayServerComponents) => CircuitRelayService {
  const make = circuitRelayServer({
    hopTimeout: limits.relayHandshakeMs,
    maxInboundHopStreams: limits.maxRelayedOfPeer,
    maxOutboundStopStreams: limits.maxRelayedOfPeer,
    reservations: {
      maxReservations: limits.maxReservations,
      reservationTtl: limits.reservationMs,
      applyDefaultLimit: false,
    },
  });
  return (components) => {
    const relay = make(components);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- libp2p does not publish the type; relay.test.ts notices a change
    holdBackBoth(relay as RelayInside, clock);
    return relay;
  };
}

/** Sees each pair of streams that the relay joins, before the first byte passes. */
function holdBackBoth(relay: RelayInside, clock: Clock): void {
  // Bound to the relay itself by its constructor; unbound it asks its caller for the other parts.
  const onHop: unknown = Reflect.get(Object.getPrototypeOf(relay), "onHop");
  if (typeof onHop !== "function" || typeof relay.stopHop !== "function")
    throw new Error("the relay service of libp2p has changed");
  relay.onHop = async (source, connection) => {
    const stopHop = async (...parameters: readonly unknown[]): Promise<Stream | undefined> => {
      const target = await relay.stopHop(...parameters);
      if (target !== undefined) {
        holdBack(source, target, clock);
        holdBack(target, source, clock);
      }
      return target;
    };
    await Reflect.apply(onHop, Object.create(relay, { stopHop: { value: stopHop } }), [source, connection]);
  };
}

/** A member that has left keeps no place; libp2p would keep it for an hour. */
export function freePlaces(node: Libp2p, { reservations }: CircuitRelayService): void {
  node.addEventListener("peer:disconnect", ({ detail: peer }) => {
    reservations.get(peer)?.signal.clear();
    reservations.delete(peer);
  });
}
