import type { Clock, Logger } from "@chorus/kernel";
import type { PeerId as Libp2pPeerId, ServiceMap } from "@libp2p/interface";
import type { Libp2pOptions } from "libp2p";
import { BoundedDatastore } from "./bounded-datastore.ts";
import { Doorway } from "./doorway.ts";
import { guarded } from "./muxer-guard.ts";

interface HardeningContext {
  readonly self: Libp2pPeerId;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** libp2p's settings with the guards that libp2p does not have itself. */
export function hardened<T extends ServiceMap>(
  settings: Libp2pOptions<T>,
  context: HardeningContext,
): Libp2pOptions<T> {
  const doorway = new Doorway();
  return {
    ...settings,
    datastore: new BoundedDatastore(context.self),
    streamMuxers: (settings.streamMuxers ?? []).map((make) => guarded(make, context)),
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
