import type { Clock, Logger, PeerId } from "@chorus/kernel";
import type {
  ConnectionEncrypter,
  MessageStream,
  PeerId as Libp2pPeerId,
  ServiceMap,
} from "@libp2p/interface";
import type { Libp2pOptions } from "libp2p";
import { BoundedDatastore } from "./bounded-datastore.ts";
import { Doorway } from "./doorway.ts";
import { guarded } from "./muxer-guard.ts";
import { asPeerId } from "./peer-ids.ts";

interface HardeningContext {
  readonly self: Libp2pPeerId;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Hears of each peer that was cut off for abuse of its connection. */
  readonly offend: (peer: PeerId, problem: string) => void;
}

/** libp2p's settings with the guards that libp2p does not have itself. */
export function hardened<T extends ServiceMap>(
  settings: Libp2pOptions<T>,
  context: HardeningContext,
): Libp2pOptions<T> {
  const doorway = new Doorway();
  const owners = new WeakMap<MessageStream, Libp2pPeerId>();
  const blame = (connection: MessageStream, problem: string): void => {
    const owner = owners.get(connection);
    const peer = owner && asPeerId(owner);
    context.logger.warn("connection dropped", { peer, reason: problem });
    if (peer !== undefined) context.offend(peer, problem);
  };
  return {
    ...settings,
    datastore: new BoundedDatastore(context.self),
    connectionEncrypters: (settings.connectionEncrypters ?? []).map(
      (make) => (components) => noted(make(components), owners),
    ),
    streamMuxers: (settings.streamMuxers ?? []).map((make) => guarded(make, { clock: context.clock, blame })),
    connectionGater: {
      ...settings.connectionGater,
      denyInboundConnection: (connection) => {
        doorway.enter(connection);
        return false;
      },
      denyInboundUpgradedConnection: (_, connection) => {
        doorway.leave(connection);
        return false;
      },
    },
  };
}

/** A muxer is not told whose connection it runs on; the encrypter knows. */
function noted(
  encrypter: ConnectionEncrypter,
  owners: WeakMap<MessageStream, Libp2pPeerId>,
): ConnectionEncrypter {
  const note =
    (secure: ConnectionEncrypter["secureInbound"]): ConnectionEncrypter["secureInbound"] =>
    async (connection, options) => {
      const secured = await secure(connection, options);
      owners.set(secured.connection, secured.remotePeer);
      return secured;
    };
  return {
    protocol: encrypter.protocol,
    secureInbound: note(encrypter.secureInbound.bind(encrypter)),
    secureOutbound: note(encrypter.secureOutbound.bind(encrypter)),
  };
}
