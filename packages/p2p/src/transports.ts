import type { CircuitRelayTransportComponents } from "@libp2p/circuit-relay-v2";
import type { Transport } from "@libp2p/interface";
import { tcp, type TCPComponents } from "@libp2p/tcp";
import type { WebSocketsComponents } from "@libp2p/websockets";
import type { Clock } from "@chorus/kernel";
import { limits } from "./limits.ts";
import type { Relays } from "./relay-client.ts";
import { webSocketTransport } from "./web-socket.ts";

type TransportComponents = TCPComponents & WebSocketsComponents & CircuitRelayTransportComponents;

/** All ways to reach a member, on every node; what is listened on, its options say. */
export function transports(
  clock: Clock,
  relays: Relays,
): readonly ((components: TransportComponents) => Transport)[] {
  return [
    tcp({
      maxConnections: limits.maxSockets,
      dialOpts: { keepAlive: true, keepAliveInitialDelay: 5_000, noDelay: true },
      listenOpts: { keepAlive: true, noDelay: true },
    }),
    webSocketTransport(clock),
    relays.transport(),
  ];
}
