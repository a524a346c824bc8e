import { expect, it } from "vitest";
import { run } from "../scenarios/ledger.ts";

it("finds every acknowledged entry after three kills", { timeout: 60_000 }, async () => {
  expect(await run(1, { nodes: 1 })).toEqual([]);
});

it("catches a writer that acknowledges before the disk has it", { timeout: 60_000 }, async () => {
  expect(await run(2, { nodes: 1, mutant: "early-ack" })).toContainEqual(
    expect.stringMatching(/^after kill \d: 1-\d+-\d+ was acknowledged and is lost$/),
  );
});
