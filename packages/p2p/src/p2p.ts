import { type Logger, type PeerId, type Signer, silentLogger, systemClock } from "@chorus/kernel";
import type { Connection } from "@libp2p/interface";
import { Conduct } from "./conduct.ts";
import type { ConnectionInfo, P2p, P2pComponents, P2pOptions } from "./contract.ts";
import { AddressInUseError, ListenFailedError } from "./errors.ts";
import { sayFarewell } from "./farewell.ts";
import { createHost, type Host, type HostContext } from "./host.ts";
import { loadIdentity } from "./identity.ts";
import { connect, disconnect, keepUp, type OnFound } from "./mesh-control.ts";
import { parseOptions, type Settings } from "./options.ts";
import { asPeerId, written } from "./peer-ids.ts";
import { type MeshPubSub, meshPubSub } from "./pubsub.ts";
import { Relays } from "./relay-client.ts";
import { routing } from "./routing.ts";
import { type MeshStreams, meshStreams } from "./streams.ts";
import type { Upkeep } from "./upkeep.ts";

/**
 * Starts a node: it listens, looks for its mesh and stays in it until it is disposed.
 * @throws InvalidInputError for an option; IdentityUnreadableError, IdentityExposedError,
 *   IdentityUnwritableError; AddressInUseError, ListenFailedError. Nothing is left running then.
 */
export async function p2p(components: P2pComponents, options: P2pOptions): Promise<P2p> {
  return startNode(components, options);
}

/** As {@link p2p}; tests change single settings of libp2p by `adjust`. */
export async function startNode(
  components: P2pComponents,
  options: P2pOptions,
  adjust?: HostContext["adjust"],
): Promise<P2p> {
  const { logger = silentLogger, clock = systemClock, traceparent = () => undefined } = components;
  const settings = parseOptions(options, logger);
  const identity = await loadIdentity(settings.identityFile);
  const { signer } = identity;
  warnOfStrangers(settings, logger);
  const conduct = new Conduct({ clock, logger }, (peer) => disconnect(host, peer, "cut off"));
  const isRevoked = (peer: PeerId): boolean =>
    settings.isRevoked(peer) || conduct.refusedUntil(peer) !== undefined;
  let onFound: OnFound | undefined;
  await using undo = new AsyncDisposableStack();
  const relays = new Relays({ wanted: settings.useRelays, clock, logger });
  const host = await createHost({
    relays,
    settings: { ...settings, isRevoked },
    identity,
    clock,
    logger,
    onFound: (found) => onFound?.(found),
    offend: (peer, problem) => conduct.offend(peer, problem),
    ...(adjust && { adjust }),
  });
  undo.defer(() => host.stop());
  const pubsub = meshPubSub({
    ...settings,
    gossip: host.services.gossip,
    signer,
    clock,
    logger,
    traceparent,
    // A peer that is cut off may still speak through others: it is judged by what it says.
    isRevoked: settings.isRevoked,
    offend: (peer, problem) => conduct.offend(peer, problem),
  });
  const reach = (peer: PeerId, signal: AbortSignal): Promise<Connection> =>
    connect(host, upkeep.find(peer) ?? { peer, addresses: [] }, signal);
  const streams = meshStreams({ node: host, clock, logger, isRevoked, reach });
  undo.defer(() => streams.close());
  const kept = await keepUp({ host, streams, settings, self: signer.peer, clock, logger, conduct });
  const { upkeep } = kept;
  onFound = kept.onFound;
  await start(host, settings);
  upkeep.start();
  relays.start(host);
  undo.move();
  return node({ host, signer, pubsub, streams, upkeep, relays });
}

function warnOfStrangers({ cluster, clusterSecret }: Settings, logger: Logger): void {
  if (clusterSecret === undefined)
    logger.warn("open mesh: without a cluster secret anyone who connects is a member", { cluster });
}

interface Parts {
  readonly host: Host;
  readonly signer: Signer;
  readonly pubsub: MeshPubSub;
  readonly streams: MeshStreams;
  readonly upkeep: Upkeep;
  readonly relays: Relays;
}

function node({ host, signer, pubsub, streams, upkeep, relays }: Parts): P2p {
  let closing: Promise<void> | undefined;
  return {
    signer,
    pubsub,
    streams,
    routing: routing(host.services.dht, () => closing !== undefined),
    addresses: () => host.getMultiaddrs().map((address) => written(address, signer.peer)),
    connections: () => host.getConnections().flatMap(describe),
    [Symbol.asyncDispose]: async () => {
      closing ??= (async () => {
        pubsub.close();
        await upkeep[Symbol.asyncDispose]();
        await relays.stop();
        await sayFarewell(streams);
        streams.close();
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
