import { createHash } from "node:crypto";
import type { PeerId } from "@chorus/kernel";

/** Who is ranked, and who goes last. */
export interface Ranking {
  readonly peers: readonly PeerId[];
  /** Ranked after all others, for example the peer that took the task in. */
  readonly last?: PeerId;
  /** Ranked even after `last`: peers that have tried already. */
  readonly tried?: readonly PeerId[];
}

/**
 * This peer's place in line for something, from 0: highest random weight over (key, peer), so that every peer
 * computes the same line without asking, and different keys spread over the peers.
 */
export function rankOf(self: PeerId, key: string, ranking: Ranking): number {
  const { peers, last, tried = [] } = ranking;
  const tier = (peer: PeerId): number => (tried.includes(peer) ? 2 : peer === last ? 1 : 0);
  const place = (peer: PeerId): string => `${tier(peer)} ${weight(key, peer)}`;
  const own = place(self);
  return new Set(peers.filter((peer) => peer !== self && place(peer) < own)).size;
}

function weight(key: string, peer: PeerId): string {
  return createHash("sha256").update(`${key}\0${peer}`).digest("hex");
}
