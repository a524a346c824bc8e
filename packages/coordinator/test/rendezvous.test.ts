import { createSigner, type PeerId } from "@chorus/kernel";
import { beforeAll, expect, it } from "vitest";
import { rankOf } from "../src/rendezvous.ts";

const peers: PeerId[] = [];
beforeAll(async () => {
  for (let i = 1; i <= 5; i++) peers.push((await createSigner(new Uint8Array(32).fill(i))).peer);
});

it("gives every peer another place, whoever computes it", () => {
  for (let key = 0; key < 50; key++) {
    const ranks = peers.map((self) => rankOf(self, `${key}`, { peers: peers.toReversed() }));
    expect(ranks.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
  }
});

it("spreads first places over the peers", () => {
  const firsts = peers.map((self) => {
    let first = 0;
    for (let key = 0; key < 1000; key++) if (rankOf(self, `${key}`, { peers }) === 0) first++;
    return first;
  });
  for (const first of firsts) expect(first).toBeGreaterThan(140);
});

it("puts the entry peer last, and those that have tried even after it", () => {
  const [a, b, c] = peers as [PeerId, PeerId, PeerId];
  const ranking = { peers: [a, b, c], last: a, tried: [b] };
  expect([a, b, c].map((self) => rankOf(self, "key", ranking))).toEqual([1, 2, 0]);
});

it("ranks a peer that is alone first", () => {
  expect(rankOf(peers[0]!, "key", { peers: [peers[0]!], last: peers[0]! })).toBe(0);
});
