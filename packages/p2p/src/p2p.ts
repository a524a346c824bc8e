import { type PeerId, silentLogger, systemClock } from "@chorus/kernel";
import type { Connection } from "@libp2p/interface";
import type { ConnectionInfo, P2p, P2pComponents, P2pOptions } from "./contract.ts";
import { AddressInUseError, ListenFailedError } from "./errors.ts";
import { createHost, type Host } from "./host.ts";
import { loadIdentity } from "./identity.ts";
import { serveIntroductions } from "./introductions.ts";
import { connect, keepUp, type OnFound } from "./mesh-control.ts";
import { parseOptions, type Settings } from "./options.ts";
import { asPeerId, written } from "./peer-ids.ts";
import { meshPubSub } from "./pubsub.ts";
import { routing } from "./routing.ts";
import { meshStreams } from "./streams.ts";

/**
 * Starts a node: it listens, looks for its mesh and stays in it until it is disposed.
 * @throws InvalidInputError for an option; IdentityUnreadableError, IdentityExposedError,
 *   IdentityUnwritableError; AddressInUseError, ListenFailedError. Nothing is left running then.
 */
export async function p2p(components: P2pComponents, options: P2pOptions): Promise<P2p> {
  const { logger = silentLogger, clock = systemClock } = components;
  const settings = parseOptions(options);
  const identity = await loadIdentity(settings.identityFile);
  const { signer } = identity;
  if (settings.clusterSecret === undefined)
    logger.warn("open mesh: without a cluster secret anyone who connects is a member", {
      cluster: settings.cluster,
    });
  let onFound: OnFound | undefined;
  const host = await createHost({ settings, identity, clock, logger, onFound: (found) => onFound?.(found) });
  const { isRevoked, cluster, topics } = settings;
  const gossip = host.services.gossip;
  const pubsub = meshPubSub({ gossip, signer, cluster, topics, clock, logger, isRevoked });
  const reach = (peer: PeerId, signal: AbortSignal): Promise<Connection> =>
    connect(host, upkeep.find(peer) ?? { peer, addresses: [] }, signal);
  const streams = meshStreams({ node: host, clock, logger, isRevoked, reach });
  const kept = keepUp({ host, streams, settings, self: signer.peer, clock, logger });
  const { upkeep } = kept;
  onFound = kept.onFound;
  serveIntroductions(streams, () => upkeep.known());
  await start(host, settings);
  upkeep.start();
  let closing: Promise<void> | undefined;
  return {
    signer,
    pubsub,
    streams,
    routing: routing(host.services.dht),
    addresses: () => host.getMultiaddrs().map((address) => written(address, signer.peer)),
    connections: () => host.getConnections().flatMap(describe),
    [Symbol.asyncDispose]: async () => {
      closing ??= (async () => {
        streams.close();
        pubsub.close();
        await upkeep[Symbol.asyncDispose]();
        await host.stop();
      })();
      await closing;
    },
  };
}

async function start(host: Host, { listen, topics }: Settings): Promise<void> {
  try {
    await host.start();
    for (const topic of topics) host.services.gossip.subscribe(topic);
  } catch (cause) {
    await host.stop();
    throw listenError(cause, listen);
  }
}

/** libp2p reports all listen failures in one text, a line for each address. */
function listenError(cause: unknown, listen: readonly string[]): unknown {
  const lines = cause instanceof Error ? cause.message.split("\n") : [];
  for (const address of listen) {
    const line = lines.find((text) => text.trim().startsWith(`${address}: `));
    if (line?.includes("EADDRINUSE")) return new AddressInUseError(address, cause);
    if (line !== undefined) return new ListenFailedError(address, cause);
  }
  return cause;
}

function describe({ remotePeer, remoteAddr, encryption, status }: Connection): ConnectionInfo[] {
  const peer = asPeerId(remotePeer);
  if (peer === undefined || status !== "open") return [];
  const name = encryption?.startsWith("/noise") ? "noise" : "tls";
  return [{ peer, encryption: name, address: written(remoteAddr, peer) }];
}
