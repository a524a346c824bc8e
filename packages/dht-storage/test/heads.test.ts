import { cidOf, type Cid } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Head } from "../src/index.ts";
import { openHead, sealHead, standing } from "../src/head-record.ts";
import { encodeFrame, PROTOCOL, decodeFrame, type Message } from "../src/wire.ts";
import { CLUSTER, setup, signerOf, text, type Member, type Mesh } from "./fixtures/mesh.ts";

const cids: readonly Cid[] = await Promise.all(
  [1, 2, 3, 4].map((n) => cidOf(text(`record ${n}`), "dag-cbor")),
);
const cid = (n: number): Cid => cids[n - 1]!;
const laneOf = ({ peer }: { peer: string }): string => `chorus/t-1/backend/${peer}`;

async function signedBy(name: string, head: Partial<Head> & { lane: string; seq: number; cid: Cid }) {
  const signer = await signerOf(name);
  return sealHead({ prevHeadHash: null, author: signer.peer, ...head }, signer, CLUSTER);
}

/** Sends a head as a peer named `from`. */
async function offerHead(mesh: Mesh, from: string, to: Member, bytes: Uint8Array): Promise<Message> {
  const peer = mesh.network.join(await signerOf(from));
  const stream = await peer.streams.open(to.peer, PROTOCOL, { signal: AbortSignal.timeout(10_000) });
  await stream.send(encodeFrame({ t: "put-head", head: bytes }));
  for await (const frame of stream.frames) {
    peer.leave();
    return decodeFrame(frame) as Message;
  }
  throw new Error("no answer");
}

describe("heads", () => {
  it("are numbered, chained, copied, and read from another peer after the author is gone", async () => {
    await using mesh = setup();
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => mesh.join(name)));
    const lane = laneOf(a!);
    const first = await a!.storage.putHead({ lane, seq: 1, cid: cid(1) });
    expect(first.head).toMatchObject({ lane, seq: 1, cid: cid(1), author: a!.peer, prevHeadHash: null });
    expect(first.replicas).toBeGreaterThanOrEqual(2);
    expect(first.degraded).toBe(false);
    const second = await a!.storage.putHead({ lane, seq: 2, cid: cid(2) });
    expect(second.head.prevHeadHash).toHaveLength(32);
    await a!.wipe();
    await b!.stop();
    const again = await mesh.join("b");
    for (const { storage } of [c!, again]) expect(await storage.head(lane)).toEqual(second.head);
  });

  it("may be put again unchanged", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const lane = laneOf(a);
    const once = await a.storage.putHead({ lane, seq: 1, cid: cid(1) });
    expect((await a.storage.putHead({ lane, seq: 1, cid: cid(1) })).head).toEqual(once.head);
  });

  it("are undefined for a lane that nobody knows, and after validUntil", async () => {
    await using mesh = setup();
    const clock = manualClock();
    const a = await mesh.join("a", { clock });
    const lane = laneOf(a);
    expect(await a.storage.head(lane)).toBeUndefined();
    await a.storage.putHead({ lane, seq: 1, cid: cid(1), validUntil: clock.now() + 1000 });
    expect(await a.storage.head(lane)).toBeDefined();
    await clock.advance(1000);
    expect(await a.storage.head(lane)).toBeUndefined();
  });

  it.each(["a/b/c", "a/b/c/d/e", "A/b/c/d", "a//c/d", "a/b/c/*", ""])("refuse the lane %j", async (lane) => {
    await using mesh = setup();
    const a = await mesh.join("a");
    await expect(a.storage.putHead({ lane, seq: 1, cid: cid(1) })).rejects.toMatchObject({
      code: "kernel/invalid-input",
    });
  });
});

describe("rollback", () => {
  it("is refused to the author", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const lane = laneOf(a);
    await a.storage.putHead({ lane, seq: 5, cid: cid(1) });
    await expect(a.storage.putHead({ lane, seq: 4, cid: cid(2) })).rejects.toMatchObject({
      code: "dht-storage/rollback",
      detail: { seq: 4, known: 5 },
    });
  });

  it("is noticed by an author whose disk was lost, because peers remember", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    await mesh.join("b");
    const lane = laneOf(a);
    await a.storage.putHead({ lane, seq: 3, cid: cid(1) });
    await a.wipe();
    const reborn = await mesh.join("a");
    await expect(reborn.storage.putHead({ lane, seq: 1, cid: cid(2) })).rejects.toMatchObject({
      code: "dht-storage/rollback",
    });
    const next = await reborn.storage.putHead({ lane, seq: 4, cid: cid(2) });
    expect(next.head.prevHeadHash).not.toBeNull();
  });

  it("by peers is not believed: a reader never goes back, not even after a restart", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const lane = laneOf(a);
    const old = await signedBy("a", { lane, seq: 1, cid: cid(1) });
    const b = await mesh.join("b");
    await a.storage.putHead({ lane, seq: 2, cid: cid(2) });
    expect((await b.storage.head(lane))?.seq).toBe(2);
    await a.stop();
    await b.stop();
    const stale = mesh.network.join(await signerOf("stale"));
    stale.streams.handle(PROTOCOL, async (stream) => {
      for await (const _ of stream.frames) await stream.send(encodeFrame({ t: "heads", heads: [old.bytes] }));
      await stream.close();
    });
    const again = await mesh.join("b");
    expect((await again.storage.head(lane))?.seq).toBe(2);
    expect(await offerHead(mesh, "c", again, old.bytes)).toMatchObject({ t: "refused", code: "older" });
  });
});

describe("equivocation", () => {
  it("is never signed by an honest author", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const lane = laneOf(a);
    await a.storage.putHead({ lane, seq: 1, cid: cid(1) });
    await expect(a.storage.putHead({ lane, seq: 1, cid: cid(2) })).rejects.toMatchObject({
      code: "dht-storage/equivocation",
      heads: [{ seq: 1, cid: cid(1) }],
    });
    expect((await a.storage.head(lane))?.cid).toBe(cid(1));
    const both = await Promise.allSettled(
      [3, 4].map((n) => a.storage.putHead({ lane, seq: 2, cid: cid(n) })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("by a liar is kept with both heads, said to every reader, and ended by a higher number", async () => {
    await using mesh = setup();
    const [a, b] = await Promise.all(["a", "b"].map((name) => mesh.join(name)));
    const author = await signerOf("liar");
    const lane = laneOf(author);
    const one = await signedBy("liar", { lane, seq: 7, cid: cid(1) });
    const two = await signedBy("liar", { lane, seq: 7, cid: cid(2) });
    expect(await offerHead(mesh, "liar", a!, one.bytes)).toEqual({ t: "ack" });
    expect(await offerHead(mesh, "liar", b!, two.bytes)).toEqual({ t: "ack" });
    for (const { storage } of [a!, b!, a!]) {
      const error: unknown = await storage.head(lane).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "dht-storage/equivocation" });
      const heads = (error as { heads: Head[] }).heads;
      expect(heads.map((head) => head.cid).sort()).toEqual([cid(1), cid(2)].sort());
    }
    expect(JSON.stringify(a!.log)).toContain("an author signed two heads with one number");
    const third = await signedBy("liar", { lane, seq: 7, cid: cid(3) });
    expect(await offerHead(mesh, "liar", a!, third.bytes)).toMatchObject({
      t: "refused",
      code: "contradiction",
    });
    const higher = await signedBy("liar", { lane, seq: 8, cid: cid(3) });
    expect(await offerHead(mesh, "liar", a!, higher.bytes)).toEqual({ t: "ack" });
    expect((await b!.storage.head(lane))?.seq).toBe(8);
  });

  it("of two authors over a lane with a plain name goes to the one each peer saw first", async () => {
    await using mesh = setup();
    const [a, b] = await Promise.all(["a", "b"].map((name) => mesh.join(name)));
    const lane = "chorus/t-1/backend/alice";
    mesh.network.cut(a!.peer, b!.peer);
    await a!.storage.putHead({ lane, seq: 1, cid: cid(1) });
    await b!.storage.putHead({ lane, seq: 9, cid: cid(2) });
    mesh.network.heal(a!.peer, b!.peer);
    expect((await a!.storage.head(lane))?.author).toBe(a!.peer);
    expect((await b!.storage.head(lane))?.author).toBe(b!.peer);
  });

  it("of two authors is said to a newcomer who hears of both at once", async () => {
    await using mesh = setup();
    const lane = "chorus/t-1/backend/alice";
    for (const [i, name] of ["x", "y"].entries()) {
      const { bytes } = await signedBy(name, { lane, seq: i + 1, cid: cid(i + 1) });
      const peer = mesh.network.join(await signerOf(name));
      peer.streams.handle(PROTOCOL, async (stream) => {
        for await (const _ of stream.frames) await stream.send(encodeFrame({ t: "heads", heads: [bytes] }));
        await stream.close();
      });
    }
    const c = await mesh.join("c");
    for (let i = 0; i < 2; i++)
      await expect(c.storage.head(lane)).rejects.toMatchObject({
        code: "dht-storage/equivocation",
        heads: [{ lane }, { lane }],
      });
  });

  it("cannot be made by others: a head needs its author's signature, its lane and its mesh", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const mine = laneOf(await signerOf("liar"));
    const theirs = laneOf(a);
    const stolen = await signedBy("liar", { lane: theirs, seq: 1, cid: cid(1) });
    expect(await offerHead(mesh, "liar", a, stolen.bytes)).toMatchObject({ t: "refused", code: "refused" });
    const author = await signerOf("liar");
    const unsigned = { lane: mine, seq: 1, cid: cid(1), prevHeadHash: null, author: author.peer };
    const foreign = await sealHead(unsigned, author, "another-mesh");
    expect(await offerHead(mesh, "liar", a, foreign.bytes)).toMatchObject({ t: "refused", code: "refused" });
    const forged = await sealHead(unsigned, await signerOf("someone"), CLUSTER);
    expect(await offerHead(mesh, "liar", a, forged.bytes)).toMatchObject({ t: "refused", code: "refused" });
    expect(await a.storage.head(mine)).toBeUndefined();
  });
});

describe("the judgement of a head", () => {
  it("lets every order of arrival end with the same highest number", async () => {
    const heads = await Promise.all(
      [1, 2, 3, 4].map((n) => signedBy("a", { lane: "p/t/r/name", seq: n, cid: cid(n) })),
    );
    fc.assert(
      fc.property(fc.shuffledSubarray(heads, { minLength: 1 }), (arriving) => {
        let known: Head[] = [];
        for (const { head } of arriving) if (standing(known, head) === "newer") known = [head];
        expect(known[0]?.seq).toBe(Math.max(...arriving.map(({ head }) => head.seq)));
      }),
    );
  });

  it("survives encoding", async () => {
    const signed = await signedBy("a", { lane: "p/t/r/name", seq: 1, cid: cid(1), validUntil: 5 });
    expect((await openHead(signed.bytes, CLUSTER)).head).toEqual(signed.head);
    await expect(openHead(signed.bytes, "other")).rejects.toMatchObject({ code: "dht-storage/refused" });
  });
});
