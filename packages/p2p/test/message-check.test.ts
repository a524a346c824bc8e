import { createSigner, type Envelope, sealEnvelope, type Signer } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { CLOCK_WINDOW_MS, MAX_MESSAGE_BYTES, MessageCheck, type Verdict } from "../src/message-check.ts";
import { SeenIds } from "../src/seen-ids.ts";

const [self, alice, bob] = await Promise.all([1, 2, 3].map((n) => createSigner(new Uint8Array(32).fill(n))));
if (!self || !alice || !bob) throw new Error("three signers expected");

const CLUSTER = "test";

function setup(revoked: readonly Signer[] = []) {
  const clock = manualClock();
  const isRevoked = (peer: string): boolean => revoked.some((signer) => signer.peer === peer);
  const check = new MessageCheck({ cluster: CLUSTER, self: self!.peer, clock, isRevoked });
  const seal = (signer: Signer, ts = clock.now(), cluster = CLUSTER): Promise<Uint8Array> =>
    sealEnvelope({ type: "note", cluster, body: "hi" }, signer, ts);
  const judge = (data: Uint8Array, signer: Signer, source = signer): Promise<Verdict> =>
    check.judge({ data, signer: signer.peer, source: source.peer });
  return { clock, seal, judge };
}

describe("the message check", () => {
  it("accepts a fresh message of a member, also from another's hand", async () => {
    const { seal, judge } = setup();
    expect(await judge(await seal(alice), alice)).toMatchObject({
      outcome: "accept",
      envelope: { from: alice.peer, body: "hi" } satisfies Partial<Envelope>,
    });
    expect(await judge(await seal(alice), alice, bob)).toMatchObject({ outcome: "accept" });
  });

  it("hands on a valid trace context, and none for an invalid one", async () => {
    const { clock, judge } = setup();
    const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (const [traceparent, expected] of [
      [trace, trace],
      [`${trace}!`, ""],
    ] as const) {
      const draft = { type: "note", cluster: CLUSTER, body: null, traceparent };
      const verdict = await judge(await sealEnvelope(draft, alice, clock.now()), alice);
      expect(verdict).toMatchObject({ outcome: "accept", envelope: { traceparent: expected } });
    }
  });

  it("rejects what is too large before it is parsed", async () => {
    const { judge } = setup();
    const verdict = await judge(new Uint8Array(MAX_MESSAGE_BYTES + 1), alice);
    expect(verdict).toEqual({ outcome: "reject", problem: "too large" });
  });

  it("rejects garbage, forgeries and messages of another mesh", async () => {
    const { seal, judge } = setup();
    const good = await seal(alice);
    const forged = good.with(good.length - 1, good[good.length - 1]! ^ 1);
    for (const data of [new Uint8Array(), Uint8Array.of(0xff, 1, 2), forged, await seal(alice, 1, "other")])
      expect(await judge(data, alice)).toMatchObject({ outcome: "reject" });
  });

  it("rejects a member that passes off another's envelope as its own message", async () => {
    const { seal, judge } = setup();
    const verdict = await judge(await seal(alice), bob);
    expect(verdict).toEqual({ outcome: "reject", problem: "message refused: its sender is not its signer" });
  });

  it("rejects a message that its sender sends again", async () => {
    const { seal, judge } = setup();
    const data = await seal(alice);
    await judge(data, alice);
    expect(await judge(data, alice)).toEqual({ outcome: "reject", problem: "replayed" });
  });

  it("blames a neighbour for a replay only from the second time it brings the message", async () => {
    const { seal, judge } = setup();
    const data = await seal(alice);
    await judge(data, alice);
    expect(await judge(data, alice, bob)).toEqual({ outcome: "ignore", problem: "replayed" });
    expect(await judge(data, alice, bob)).toEqual({ outcome: "reject", problem: "replayed" });
  });

  it("refuses a revoked sender, and does not blame who may not have heard of it", async () => {
    const { seal, judge } = setup([alice]);
    expect(await judge(await seal(alice), alice)).toMatchObject({ outcome: "reject" });
    expect(await judge(await seal(alice), alice, bob)).toMatchObject({ outcome: "ignore" });
    expect(await judge(await seal(bob), bob)).toMatchObject({ outcome: "accept" });
  });

  it("ignores its own messages when they come back", async () => {
    const { seal, judge } = setup();
    expect(await judge(await seal(self), self, bob)).toMatchObject({ outcome: "ignore" });
  });

  it("takes clocks that differ by five minutes and no more", async () => {
    const { clock, seal, judge } = setup();
    for (const sign of [-1, 1]) {
      const edge = clock.now() + sign * CLOCK_WINDOW_MS;
      expect(await judge(await seal(alice, edge), alice)).toMatchObject({ outcome: "accept" });
      expect(await judge(await seal(bob, edge + sign), bob)).toMatchObject({ outcome: "reject" });
    }
  });

  it("blames a forwarder only when no honest clock could have let the message pass", async () => {
    const { clock, seal, judge } = setup();
    const late = await seal(alice, clock.now() - CLOCK_WINDOW_MS - 1);
    expect(await judge(late, alice, bob)).toMatchObject({ outcome: "ignore" });
    const ancient = await seal(alice, clock.now() - 2 * CLOCK_WINDOW_MS - 1);
    expect(await judge(ancient, alice, bob)).toMatchObject({ outcome: "reject" });
  });

  it("still knows a replay at the very end of the window", async () => {
    const { clock, seal, judge } = setup();
    const data = await seal(alice, clock.now() + CLOCK_WINDOW_MS);
    expect(await judge(data, alice)).toMatchObject({ outcome: "accept" });
    for (let step = 0; step < 20; step++) {
      await clock.advance(CLOCK_WINDOW_MS / 10);
      expect(await judge(data, alice, bob)).toMatchObject({ problem: "replayed" });
      await judge(await seal(alice), alice);
    }
    await clock.advance(1);
    expect(await judge(data, alice)).toMatchObject({ problem: "its time is outside the window" });
  });
});

describe("the ids that were seen", () => {
  it("stay bounded, and what was forgotten counts as seen", () => {
    const seen = new SeenIds(1_000_000);
    const from = alice.peer;
    const add = (id: string, ts: number, sender = from): string =>
      seen.add(sender, { id, ts, source: bob.peer, now: 10_000 });
    for (let n = 0; n < 10_000; n++) expect(add(`${n}`, n)).toBe("new");
    for (let n = 0; n < 10_000; n++) expect(add(`${n}`, n)).not.toBe("new");
    expect(add("fresh", 10_000)).toBe("new");
    expect(add("0", 0, bob.peer)).toBe("new");
  });
});
