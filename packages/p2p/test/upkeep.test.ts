import { createSigner, type PeerId } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import type { Candidate } from "../src/address-book.ts";
import type { Acquaintance } from "../src/book-file.ts";
import { Conduct } from "../src/conduct.ts";
import { recordingLogger } from "./fixtures/mesh.ts";
import { type MeshControl, Upkeep } from "../src/upkeep.ts";

const names = (await Promise.all([1, 2, 3].map((n) => createSigner(new Uint8Array(32).fill(n)))))
  .map(({ peer }) => peer)
  .toSorted();
const [low, self, high] = names as [PeerId, PeerId, PeerId];
const ADDRESS = "/ip4/127.0.0.1/tcp/1";

function setup() {
  const clock = manualClock();
  const logger = recordingLogger();
  const connected = new Set<PeerId>();
  const mute = new Set<PeerId>();
  const reachable = new Set<PeerId>();
  const revoked = new Set<PeerId>();
  const misbehaving = new Set<PeerId>();
  const saved: (readonly Acquaintance[])[] = [];
  const dials: { peer: PeerId; at: number; addresses: readonly string[]; open: number }[] = [];
  let open = 0;
  const asked: { peer: PeerId; at: number }[] = [];
  const introductions = new Map<PeerId, Candidate[]>();
  const drops: { peer: PeerId; reason: string }[] = [];
  const mesh: MeshControl = {
    self,
    connected: () => [...connected],
    mute: () => [...mute],
    misbehaving: () => [...misbehaving],
    dial: async ({ peer, addresses }) => {
      dials.push({ peer, addresses, at: clock.monotonic(), open: ++open });
      await Promise.resolve();
      open--;
      if (!reachable.has(peer)) throw new Error("nobody there");
      connected.add(peer);
      upkeep.connected(peer);
    },
    ask: async (peer) => {
      asked.push({ peer, at: clock.monotonic() });
      return introductions.get(peer) ?? [];
    },
    drop: (peer, reason) => {
      drops.push({ peer, reason });
      connected.delete(peer);
      upkeep.lost(peer);
    },
  };
  const conduct = new Conduct({ clock, logger }, (peer) => mesh.drop(peer, "cut off"));
  const save = async (members: readonly Acquaintance[]): Promise<void> => void saved.push(members);
  const isRevoked = (peer: PeerId): boolean => revoked.has(peer);
  const upkeep = new Upkeep({ mesh, clock, logger, isRevoked, conduct, save });
  upkeep.start();
  const state = { connected, mute, misbehaving, reachable, revoked, introductions };
  return { ...state, clock, dials, drops, saved, logger, asked, conduct, upkeep };
}

describe("the upkeep", () => {
  it("dials what is found: at once with the smaller name, a second later with the larger", async () => {
    const { clock, reachable, dials, upkeep } = setup();
    await using _ = upkeep;
    reachable.add(low).add(high);
    upkeep.hint({ peer: high, addresses: [ADDRESS] });
    upkeep.hint({ peer: low, addresses: [ADDRESS] });
    await clock.advance(999);
    expect(dials.map(({ peer }) => peer)).toEqual([high]);
    await clock.advance(10);
    expect(dials.map(({ peer }) => peer)).toEqual([high, low]);
  });

  it("does not dial who has dialled it meanwhile, nor itself", async () => {
    const { clock, connected, dials, upkeep } = setup();
    await using _ = upkeep;
    upkeep.hint({ peer: low, addresses: [ADDRESS] });
    upkeep.hint({ peer: self, addresses: [ADDRESS] });
    connected.add(low);
    upkeep.connected(low);
    await clock.advance(60_000);
    expect(dials).toEqual([]);
  });

  it("brings a lost member back after hours, and never asks less often than every 15 s", async () => {
    const { clock, connected, reachable, dials, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    connected.delete(high);
    upkeep.lost(high);
    await clock.advance(30_000);
    expect(dials.length).toBeGreaterThanOrEqual(18);
    await clock.advance(2 * 3_600_000);
    const gaps = dials.slice(1).map(({ at }, i) => at - dials[i]!.at);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(15_010);
    reachable.add(high);
    await clock.advance(15_010);
    expect(connected.has(high)).toBe(true);
    const count = dials.length;
    await clock.advance(60_000);
    expect(dials.length).toBe(count);
  });

  it("dials a bootstrap peer until it answers", async () => {
    const { clock, connected, reachable, dials, logger, upkeep } = setup();
    await using _ = upkeep;
    upkeep.want({ peer: low, addresses: [ADDRESS] });
    await clock.advance(10_000);
    expect(dials[0]?.at).toBe(0);
    expect(dials.length).toBeGreaterThan(5);
    const aloud = logger.lines.filter(({ message }) => message === "a peer cannot be reached, still trying");
    expect(aloud.map(({ fields }) => fields["peer"])).toEqual([low]);
    reachable.add(low);
    await clock.advance(1_600);
    expect(connected.has(low)).toBe(true);
  });

  it("asks less and less often for a peer that was only rumoured", async () => {
    const { clock, dials, upkeep } = setup();
    await using _ = upkeep;
    for (let minute = 0; minute < 60; minute++) {
      upkeep.hint({ peer: high, addresses: [ADDRESS] });
      await clock.advance(60_000);
    }
    expect(dials.length).toBeGreaterThan(30);
    expect(dials.length).toBeLessThan(75);
  });

  it("tries a new address at once, right after the first that the member gave itself", async () => {
    const { clock, dials, upkeep } = setup();
    await using _ = upkeep;
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: ["/ip4/127.0.0.1/tcp/2", "/ip4/127.0.0.1/tcp/4"] });
    upkeep.lost(high);
    await clock.advance(300_000);
    const count = dials.length;
    upkeep.hint({ peer: high, addresses: ["/ip4/127.0.0.1/tcp/3"] });
    await clock.advance(0);
    expect(dials.slice(count)).toMatchObject([
      { addresses: [2, 3, 4].map((port) => `/ip4/127.0.0.1/tcp/${port}`) },
    ]);
  });

  it("replaces a connection whose gossip streams are gone", async () => {
    const { clock, connected, mute, reachable, dials, drops, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    reachable.add(high);
    mute.add(high);
    await clock.advance(4_400);
    expect(drops).toEqual([]);
    await clock.advance(1_600);
    expect(drops).toEqual([{ peer: high, reason: "gossip streams lost" }]);
    mute.clear();
    await clock.advance(1_600);
    expect(dials.length).toBe(1);
    expect(connected.has(high)).toBe(true);
  });

  it("gives a connection that recovers its gossip by itself its time", async () => {
    const { clock, connected, mute, drops, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    for (let round = 0; round < 5; round++) {
      mute.add(high);
      await clock.advance(4_400);
      mute.clear();
      await clock.advance(1_600);
    }
    expect(drops).toEqual([]);
  });

  it("lets go of a member that is revoked, and does not dial it again", async () => {
    const { clock, connected, revoked, dials, drops, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    revoked.add(high);
    await clock.advance(1_600);
    expect(drops).toEqual([{ peer: high, reason: "revoked" }]);
    await clock.advance(60_000);
    expect(dials).toEqual([]);
  });

  it("asks a new member whom it knows, soon again, and then less and less often", async () => {
    const { clock, connected, reachable, asked, introductions, upkeep } = setup();
    await using _ = upkeep;
    reachable.add(high);
    connected.add(low);
    upkeep.connected(low);
    upkeep.learn({ peer: low, addresses: [ADDRESS] });
    await clock.advance(0);
    introductions.set(low, [{ peer: high, addresses: [ADDRESS] }]);
    await clock.advance(250);
    expect(connected.has(high)).toBe(true);
    await clock.advance(300_000);
    const gaps = asked.slice(1).map(({ at }, i) => at - asked[i]!.at);
    expect(gaps.slice(0, 4)).toEqual([250, 500, 1_000, 2_000]);
    expect(gaps.at(-1)).toBe(15_000);
  });

  it("asks every newcomer at once, and tells others of those that said where they listen", async () => {
    const { clock, connected, asked, upkeep } = setup();
    await using _ = upkeep;
    for (const peer of [low, high]) {
      connected.add(peer);
      upkeep.connected(peer);
      upkeep.learn({ peer, addresses: peer === high ? [ADDRESS] : [] });
    }
    await clock.advance(20);
    expect(asked.map(({ peer }) => peer)).toEqual([low, high]);
    expect(upkeep.known()).toEqual([{ peer: high, addresses: [ADDRESS] }]);
  });

  it("dials at most 16 peers at a time, and all of them in the end", async () => {
    const { clock, dials, upkeep } = setup();
    await using _ = upkeep;
    for (let n = 0; n < 40; n++) upkeep.hint({ peer: `${high}${n}` as PeerId, addresses: [ADDRESS] });
    await clock.advance(100);
    expect(dials.length).toBe(40);
    const most = dials.map(({ open }) => open);
    expect(Math.max(...most)).toBe(16);
  });

  it("forgets rumours before members when its book is full", async () => {
    const { clock, connected, dials, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    for (let n = 0; n < 3_000; n++) upkeep.hint({ peer: `${low}${n}` as PeerId, addresses: [] });
    connected.delete(high);
    upkeep.lost(high);
    await clock.advance(10);
    expect(dials.map(({ peer }) => peer)).toEqual([high]);
  });

  it("does not search for a member that has said goodbye, but now and then asks whether it is back", async () => {
    const { clock, connected, reachable, dials, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    upkeep.left(high);
    connected.delete(high);
    upkeep.lost(high);
    // Others have not heard of it yet, and speak of it.
    upkeep.hint({ peer: high, addresses: ["/ip4/127.0.0.1/tcp/9"] });
    await clock.advance(599_000);
    expect(dials).toEqual([]);
    await clock.advance(3_600_000);
    expect(dials.length).toBe(6);
    reachable.add(high);
    await clock.advance(600_000);
    expect(connected.has(high)).toBe(true);
    // It came back: lost without a goodbye it is searched for again.
    connected.delete(high);
    reachable.delete(high);
    const count = dials.length;
    upkeep.lost(high);
    await clock.advance(60_000);
    expect(dials.length).toBeGreaterThan(count + 10);
  });

  it("dials a leaver at once when it is said to be back, and forgets it after a day", async () => {
    const { clock, connected, dials, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    upkeep.left(high);
    connected.delete(high);
    upkeep.lost(high);
    await clock.advance(10_000);
    upkeep.hint({ peer: high, addresses: [ADDRESS] });
    await clock.advance(10);
    expect(dials.length).toBe(1);
    await clock.advance(25 * 3_600_000);
    const count = dials.length;
    expect(count).toBeLessThan(155);
    await clock.advance(24 * 3_600_000);
    expect(dials.length).toBe(count);
    expect(upkeep.find(high)).toBeUndefined();
  });

  it("dials the members from before a restart, and less often those that were away for a day", async () => {
    const { clock, dials, upkeep } = setup();
    await using _ = upkeep;
    upkeep.remember([
      { peer: low, addresses: [ADDRESS], seenAt: clock.now() - 1_000 },
      { peer: high, addresses: [ADDRESS], seenAt: clock.now() - 2 * 86_400_000 },
    ]);
    await clock.advance(0);
    expect(dials.map(({ peer }) => peer)).toEqual([low, high]);
    await clock.advance(3_600_000);
    const counts = [low, high].map((peer) => dials.filter((dial) => dial.peer === peer).length);
    expect(counts[0]).toBeGreaterThan(240);
    expect(counts[1]).toBeLessThan(15);
    expect(counts[1]).toBeGreaterThan(10);
  });

  it("keeps members that it met for the next start, at once and then every five seconds", async () => {
    const { clock, connected, saved, upkeep } = setup();
    const start = clock.now();
    upkeep.hint({ peer: low, addresses: [ADDRESS] });
    upkeep.connected(high);
    connected.add(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    await clock.advance(10);
    expect(saved.at(-1)).toMatchObject([{ peer: high, addresses: [ADDRESS] }]);
    const count = saved.length;
    const moved = "/ip4/127.0.0.1/tcp/7";
    upkeep.learn({ peer: high, addresses: [moved] });
    await clock.advance(4_000);
    expect(saved.length).toBe(count);
    await clock.advance(2_000);
    expect(saved.length).toBe(count + 1);
    await clock.advance(3_600_000);
    expect(saved.length).toBe(count + 1);
    connected.delete(high);
    upkeep.lost(high);
    await clock.advance(60_000);
    await upkeep[Symbol.asyncDispose]();
    const seenAt = start + 3_606_010;
    expect(saved.at(-1)).toEqual([{ peer: high, addresses: [moved], seenAt }]);
  });

  it("writes nothing down when it met nobody", async () => {
    const { clock, saved, upkeep } = setup();
    await clock.advance(60_000);
    await upkeep[Symbol.asyncDispose]();
    expect(saved).toEqual([]);
  });

  it("counts what gossip finds invalid, and brings a member that was cut off back when its time is over", async () => {
    const { clock, connected, misbehaving, reachable, dials, drops, upkeep } = setup();
    await using _ = upkeep;
    connected.add(high);
    upkeep.connected(high);
    upkeep.learn({ peer: high, addresses: [ADDRESS] });
    misbehaving.add(high);
    reachable.add(high);
    await clock.advance(15_000);
    expect(drops).toEqual([{ peer: high, reason: "cut off" }]);
    misbehaving.clear();
    const cutAt = clock.monotonic();
    await clock.advance(44_000);
    expect(dials).toEqual([]);
    await clock.advance(20_000);
    expect(dials.length).toBe(1);
    expect(dials[0]!.at - cutAt).toBeGreaterThan(44_000);
    expect(connected.has(high)).toBe(true);
  });
});
