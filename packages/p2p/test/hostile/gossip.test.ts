import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Arena, arena } from "./fixtures/arena.ts";
import { scaled, unharmed } from "./fixtures/unharmed.ts";

let stage: Arena;
beforeAll(async () => {
  stage = await arena();
});
afterAll(() => stage[Symbol.asyncDispose]());

const ms = scaled(1_500, 60_000);

describe("a member that shouts", { timeout: scaled(120_000, 600_000) }, () => {
  it.each([
    ["garbage, well signed", "garbage envelope"],
    ["one true message again and again", "replayed"],
    ["in another's name", "forged"],
  ])("%s, a thousand times a second, is cut off and refused", async (_, attack) => {
    const outcome = await stage.attack(attack, { count: 1_000, ms: scaled(4_000, 60_000) });
    await unharmed(stage, outcome);
    expect(outcome.result["connected"]).toBe(0);
    const heard = (outcome.after.heard["hostile"] ?? 0) - (outcome.before.heard["hostile"] ?? 0);
    // Of what is repeated, the first is news; of what is forged, nothing.
    expect(heard).toBe(attack === "replayed" ? 1 : 0);
  });

  it("what is too large is cut off", async () => {
    const outcome = await stage.attack("oversized message", { count: 50, ms: scaled(4_000, 60_000) });
    await unharmed(stage, outcome);
    expect(outcome.result["connected"]).toBe(0);
  });

  it.each([
    ["bytes that mean nothing", "random bytes", 1_000],
    ["about twenty thousand topics", "subscriptions", 10],
    ["of messages that it does not have", "announcements", 20],
    ["and does not listen", "deaf", 0],
  ])("%s harms nobody", async (_, attack, count) => {
    await unharmed(stage, await stage.attack(attack, { count, ms }));
  });
});
