import type { Clock, Logger, PeerId, Streams } from "@chorus/kernel";
import type { Connection, PeerId as Libp2pPeerId, PeerInfo } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { Candidate } from "./address-book.ts";
import type { Host } from "./host.ts";
import { askIntroductions, serveIntroductions } from "./introductions.ts";
import { bookFile } from "./book-file.ts";
import type { Conduct } from "./conduct.ts";
import { serveFarewell } from "./farewell.ts";
import { invalidDeliveries } from "./gossip-inside.ts";
import { limits } from "./limits.ts";
import { GOSSIP_PROTOCOL_PREFIX } from "./names.ts";
import type { Settings } from "./options.ts";
import { forgetAbsent } from "./routing.ts";
import { asPeerId, dialable, fromPeerId, isRelayed, withoutPeer } from "./peer-ids.ts";
import { connectedPeers } from "./streams.ts";
import { type MeshControl, Upkeep } from "./upkeep.ts";

/** What the upkeep of a real mesh is made from. */
export interface KeepUpContext {
  readonly host: Host;
  readonly streams: Streams;
  readonly settings: Settings;
  readonly self: PeerId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly conduct: Conduct;
}

/** Where discovery reports, before and after there is an upkeep to act on it. */
export type OnFound = (found: PeerInfo) => void;

/** Addresses that refuse cost no time; of those that are silent so many are waited for. */
const MAX_SILENT_ADDRESSES = 3;
const ASK_TIMEOUT_MS = 4_000;
/** One may be a mistake and fades within seconds; a third within two makes gossip deaf to the peer. */
const INVALID_DELIVERIES = 2;

/** Tells the upkeep what libp2p sees, and lets it act. @returns it, not started, and where mDNS reports */
export async function keepUp(context: KeepUpContext): Promise<{ upkeep: Upkeep; onFound: OnFound }> {
  const { host, settings, streams } = context;
  const { addressBookFile: file, cluster } = settings;
  const book = file === false ? undefined : bookFile(file, cluster, context.logger);
  const gossipers = new Set<PeerId>();
  const upkeep = new Upkeep({
    ...context,
    isRevoked: settings.isRevoked,
    mesh: control(context, gossipers),
    save: async (members) => book?.save(members),
  });
  if (book) upkeep.remember(await book.load());
  for (const candidate of settings.bootstrap) upkeep.want(candidate);
  serveIntroductions(streams, () => upkeep.known());
  serveFarewell(streams, (peer) => upkeep.left(peer));
  forgetAbsent(host, host.services.dht, context.logger);
  return { upkeep, onFound: watch(context, upkeep, gossipers) };
}

/** Passes libp2p's events on. @returns where discovery reports */
function watch({ host, logger }: KeepUpContext, upkeep: Upkeep, gossipers: Set<PeerId>): OnFound {
  /** An exception in a listener would end the process. */
  const guarded = (id: Libp2pPeerId, work: (peer: PeerId) => void): void => {
    try {
      const peer = asPeerId(id);
      if (peer !== undefined) work(peer);
    } catch (error) {
      logger.warn("mesh event failed", { error });
    }
  };
  const onFound: OnFound = ({ id, multiaddrs }) =>
    guarded(id, (peer) => upkeep.hint({ peer, addresses: texts(multiaddrs) }));
  host.addEventListener("peer:discovery", ({ detail }) => onFound(detail));
  host.addEventListener("peer:connect", ({ detail }) => guarded(detail, (peer) => upkeep.connected(peer)));
  host.addEventListener("peer:disconnect", ({ detail }) =>
    guarded(detail, (peer) => {
      gossipers.delete(peer);
      upkeep.lost(peer);
    }),
  );
  host.addEventListener("peer:identify", ({ detail: { peerId, protocols, listenAddrs } }) =>
    guarded(peerId, (peer) => {
      if (protocols.some((protocol) => protocol.startsWith(GOSSIP_PROTOCOL_PREFIX))) gossipers.add(peer);
      upkeep.learn({ peer, addresses: texts(listenAddrs) });
    }),
  );
  return onFound;
}

function control(
  { host, streams, self, logger }: KeepUpContext,
  gossipers: ReadonlySet<PeerId>,
): MeshControl {
  return {
    self,
    connected: () => connectedPeers(host),
    mute: () => {
      const heard = new Set(host.services.gossip.getPeers().map(asPeerId));
      return connectedPeers(host).filter((peer) => gossipers.has(peer) && !heard.has(peer));
    },
    misbehaving: () => {
      const invalid = invalidDeliveries(host.services.gossip);
      return connectedPeers(host).filter(
        (peer) => (invalid.get(fromPeerId(peer).toString()) ?? 0) >= INVALID_DELIVERIES,
      );
    },
    ask: (peer, signal) => askIntroductions(streams, peer, within(ASK_TIMEOUT_MS, signal)),
    dial: async (candidate, signal) => {
      await dial(host, candidate, signal);
    },
    drop: (peer, reason) => {
      logger.info("connection dropped", { peer, reason });
      disconnect(host, peer, reason);
    },
  };
}

/** Breaks every connection to the peer. */
export function disconnect(host: Host, peer: PeerId, reason: string): void {
  for (const connection of host.getConnections(fromPeerId(peer))) connection.abort(new Error(reason));
}

/** An open connection to the peer, a direct one if there is one, or a new one to where it may be found. */
export async function connect(host: Host, candidate: Candidate, signal: AbortSignal): Promise<Connection> {
  const open = host.getConnections(fromPeerId(candidate.peer)).filter(({ status }) => status === "open");
  return open.find(({ direct }) => direct) ?? open[0] ?? dial(host, candidate, signal);
}

async function dial(host: Host, { peer, addresses }: Candidate, signal: AbortSignal): Promise<Connection> {
  // Given a bare name, libp2p would search the whole mesh for it first.
  if (addresses.length === 0) throw new Error("no address is known");
  const targets = addresses.map((address) => dialable(multiaddr(address), peer));
  const relayed = targets.filter(isRelayed);
  const direct = targets.filter((address) => !isRelayed(address));
  const timeoutMs = limits.addressDialTimeoutMs * Math.min(targets.length, MAX_SILENT_ADDRESSES);
  if (relayed.length === 0 || direct.length === 0)
    return host.dial(targets, { signal: within(timeoutMs, signal) });
  try {
    return await host.dial(direct, { signal: within(limits.directDialTimeoutMs, signal) });
  } catch {
    signal.throwIfAborted();
    return host.dial(relayed, { signal: within(timeoutMs, signal) });
  }
}

function within(timeoutMs: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
}

function texts(addresses: readonly Multiaddr[]): readonly string[] {
  return addresses.map(withoutPeer);
}
