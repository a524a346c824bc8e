import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Arena, arena } from "./fixtures/arena.ts";
import { scaled, unharmed } from "./fixtures/unharmed.ts";

let stage: Arena;
beforeAll(async () => {
  stage = await arena();
});
afterAll(() => stage[Symbol.asyncDispose]());

describe("a member that has turned", { timeout: scaled(120_000, 600_000) }, () => {
  it("loses each stream with a length that no frame has, and only those", async () => {
    const outcome = await stage.attack("oversized");
    await unharmed(stage, outcome);
    expect(outcome.result).toEqual({ ended: 3, lengths: 3, connected: 1 });
    expect(outcome.after.sinking).toBe(0);
  });

  it.each(["tls", "noise"] as const)(
    "is cut off when it announces a muxer frame of 4 GiB over %s",
    async (encryption) => {
      const outcome = await stage.attack("yamux length", { count: 3_000, encryption });
      await unharmed(stage, outcome);
      expect(outcome.result["hungUp"]).toBe(1);
      expect(outcome.result["written"]).toBeLessThan(64 * 1_048_576);
    },
  );

  it.each(["ping flood", "rapid reset"])("is cut off for a %s", async (attack) => {
    const outcome = await stage.attack(attack, { ms: scaled(3_000, 60_000) });
    await unharmed(stage, outcome);
    expect(outcome.result["hungUp"]).toBe(1);
  });

  it("is refused when it comes back for more abuse of its connection", async () => {
    const outcome = await stage.attack("obstinate", { count: 20 });
    await unharmed(stage, outcome);
    const told = outcome.after.warnings.slice(outcome.before.warnings.length);
    const dropped = told.filter((line) => line.startsWith("connection dropped"));
    expect(told.filter((line) => line.startsWith("a member keeps breaking the rules"))).toHaveLength(1);
    expect(outcome.result["attempts"]).toBe(20);
    // Five offences are borne, and what is forgiven meanwhile; the rest never got as far as a muxer.
    expect(dropped.length).toBeGreaterThan(5);
    expect(dropped.length).toBeLessThan(12);
  });

  it("delays others by no more than a moment with frames that are empty, or in crumbs", async () => {
    for (const attack of ["unread crumbs", "frame in crumbs"])
      await unharmed(stage, await stage.attack(attack, { ms: scaled(600, 60_000) }));
  });

  it("holds 64 streams of a protocol open at most, however many it asks for", async () => {
    const count = scaled(200, 1_000);
    const outcome = await stage.attack("slow loris", { count, ms: scaled(1_500, 20_000) });
    await unharmed(stage, outcome);
    expect(outcome.result).toMatchObject({ opened: 64, refused: count - 64 });
  });

  it("gets nothing done with streams that are for nothing", async () => {
    await unharmed(stage, await stage.attack("unnegotiated", { count: 1_000, ms: scaled(500, 15_000) }));
  });

  it("fills only its own streams, whether we do not read or it does not", async () => {
    for (const attack of ["fill stalled", "never reads"])
      await unharmed(stage, await stage.attack(attack, { count: scaled(16, 70), ms: scaled(800, 30_000) }));
  });

  it("keeps four connections under one name", async () => {
    const outcome = await stage.attack("connections", { count: scaled(20, 300) });
    await unharmed(stage, outcome);
    expect(outcome.result["left"]).toBeLessThanOrEqual(4);
  });

  it("stores provider records at its own expense", async () => {
    const outcome = await stage.attack("providers", { count: scaled(5_000, 100_000) });
    await unharmed(stage, outcome);
  });

  it("learns who we are as often as it asks, and no more", async () => {
    await unharmed(stage, await stage.attack("identifies", { ms: scaled(1_500, 30_000) }));
  });
});
