import { hash } from "node:crypto";
import type { PeerId } from "@chorus/kernel";

/**
 * Peers in the order in which they should hold a thing: rendezvous hashing (Thaler and Ravishankar, 1998). A
 * peer that comes or goes moves only what it holds itself, and everybody computes the same order.
 */
export function rank(key: string, peers: readonly PeerId[]): readonly PeerId[] {
  return [...new Set(peers)]
    .map((peer) => ({ peer, score: hash("sha256", `${key}\0${peer}`, "hex") }))
    .sort((a, b) => (a.score < b.score ? 1 : -1))
    .map(({ peer }) => peer);
}
