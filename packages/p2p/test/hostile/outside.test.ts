import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { met } from "../fixtures/mesh.ts";
import { type Arena, arena } from "./fixtures/arena.ts";
import { scaled, unharmed } from "./fixtures/unharmed.ts";

let stage: Arena;
beforeAll(async () => {
  stage = await arena();
});
afterAll(() => stage[Symbol.asyncDispose]());

describe("strangers who flood a node's port", { timeout: scaled(120_000, 600_000) }, () => {
  it("keep no more than some dozen idle connections, and those not for long", async () => {
    const count = scaled(1_500, 10_000);
    const outcome = await stage.attack("idle", { count, ms: scaled(60_000, 300_000) });
    await unharmed(stage, outcome);
    expect(outcome.result).toMatchObject({ count, ended: count, left: 0 });
    expect(outcome.after.connections).toBe(outcome.before.connections);
  });

  it("are no better off when they begin to speak", async () => {
    const count = scaled(500, 10_000);
    const outcome = await stage.attack("half open", { count, ms: scaled(60_000, 300_000) });
    await unharmed(stage, outcome);
    expect(outcome.result).toMatchObject({ ended: count, left: 0 });
  });

  it("may come and go as often as they like", async () => {
    const outcome = await stage.attack("churn", { count: scaled(2_000, 100_000) });
    await unharmed(stage, outcome);
  });

  it.each(["tls", "noise"] as const)(
    "reach nothing by handshake after handshake over %s",
    async (encryption) => {
      const order = { count: scaled(40, 1_000), ms: scaled(3_000, 30_000), encryption };
      const outcome = await stage.attack("unproved", order);
      await unharmed(stage, outcome);
      expect(outcome.result["streams"]).toBe(0);
      expect(outcome.result["refused"]).toBeGreaterThan(0);
    },
  );

  it("do not keep an honest newcomer out who comes from the same address", async () => {
    let over = false;
    const siege = stage
      .launch("siege", { count: 80, ms: scaled(9_000, 60_000) })
      .finally(() => (over = true));
    // By now more wait than libp2p has places for, if they were let.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const newcomer = await stage.at.start({ bootstrap: [stage.target] });
    await met(newcomer, stage.peer);
    expect(over).toBe(false);
    await siege;
  });
});
