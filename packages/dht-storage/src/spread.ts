import type { PeerId } from "@chorus/kernel";
import { orAborted } from "./cancel.ts";
import type { Durability } from "./contract.ts";
import { WANTED_COPIES } from "./copies.ts";
import type { Parts } from "./parts.ts";
import { peerClient, type Answer, type PeerClient } from "./peer-client.ts";
import { rank } from "./placement.ts";

/** Copies on disk that acknowledge a write, where so many storers exist (W). */
const QUORUM = 2;

/** Something that is copied to other peers. */
export interface Spread {
  /** Name in the list of what is owed. */
  readonly item: string;
  /** Decides which peers should hold it. */
  readonly placementKey: string;
  offer(client: PeerClient): Promise<Answer>;
  /** Told when a peer refused. */
  readonly onRefused?: (peer: PeerId, answer: Answer & { taken: false }) => Promise<void>;
}

/** A copying under way. */
interface Spreading {
  /** When the quorum is reached or nobody is left to ask. */
  readonly reached: Promise<void>;
  /** When nothing more is tried. */
  readonly done: Promise<void>;
  /** What has been reached by now. */
  durability(): Durability;
}

/**
 * Copies something that is on this disk to the peers that should hold it. Resolves as soon as the quorum is
 * reached or nobody is left to ask, and goes on in the background until there are {@link WANTED_COPIES}. A
 * caller who gives up does not stop the copying.
 */
export async function spread(
  parts: Parts,
  what: Spread,
  signal: AbortSignal | undefined,
): Promise<Durability> {
  const spreading = startSpread(parts, what);
  await orAborted(spreading.reached, signal);
  return spreading.durability();
}

/** Makes the copies that are still missing, unless that is under way already. */
export async function complete(parts: Parts, what: Spread): Promise<void> {
  if (!parts.spreading.has(what.item)) await startSpread(parts, what).done;
}

function startSpread(parts: Parts, what: Spread): Spreading {
  const { streams, copies, signer, lifetime, spreading } = parts;
  const { item } = what;
  const acks: PeerId[] = [signer.peer, ...copies.holders(item)];
  const peers = streams.peers().filter((peer) => !acks.includes(peer));
  const reached = Promise.withResolvers<void>();
  if (acks.length >= QUORUM) reached.resolve();
  const work = async (): Promise<void> => {
    spreading.add(item);
    try {
      await copyTo(parts, what, {
        peers: rank(what.placementKey, peers),
        wanted: WANTED_COPIES - acks.length,
        onAck: (peer) => {
          acks.push(peer);
          if (acks.length >= QUORUM) reached.resolve();
        },
      });
      if (!lifetime.aborted) copies.settle(item, acks.slice(1));
      reached.resolve();
    } catch (error) {
      reached.reject(error);
      throw error;
    } finally {
      spreading.delete(item);
    }
  };
  const done = work();
  // A caller who no longer waits must not make the failure an unhandled one.
  reached.promise.catch(() => undefined);
  parts.background(done.catch(() => undefined));
  return {
    reached: reached.promise,
    done,
    durability: () => ({
      replicas: acks.length,
      acks: [...acks],
      degraded: acks.length < QUORUM && (copies.members().size > 0 || peers.length > 0),
    }),
  };
}

interface Plan {
  readonly peers: readonly PeerId[];
  readonly wanted: number;
  readonly onAck: (peer: PeerId) => void;
}

/** Asks as many peers at once as copies are wanted; one that fails or refuses is followed by the next. */
async function copyTo(parts: Parts, what: Spread, { peers, wanted, onAck }: Plan): Promise<void> {
  const left = [...peers];
  const fill = async (): Promise<void> => {
    for (let peer = left.shift(); peer !== undefined; peer = left.shift()) {
      if (parts.lifetime.aborted) return;
      if (!(await isTaken(parts, what, peer))) continue;
      onAck(peer);
      return;
    }
  };
  await Promise.all(Array.from({ length: Math.max(0, wanted) }, fill));
}

async function isTaken(parts: Parts, what: Spread, peer: PeerId): Promise<boolean> {
  const { item } = what;
  try {
    const answer = await what.offer(peerClient(parts, peer, parts.lifetime));
    if (answer.taken) return true;
    parts.logger.debug("a peer refused a copy", { peer, item, code: answer.code });
    await what.onRefused?.(peer, answer);
  } catch (error) {
    if (!parts.lifetime.aborted)
      parts.logger.debug("a peer could not take a copy", { peer, item, error: String(error) });
  }
  return false;
}
