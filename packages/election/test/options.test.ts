import { describe, expect, it } from "vitest";
import { memoryVoteStore } from "../src/testing/index.ts";
import { peers, setup } from "./fixtures/setup.ts";

const voters = peers.slice(0, 3);

/** What a caller without a compiler may write. */
const refused: readonly (readonly [field: string, values: readonly unknown[]])[] = [
  ["cluster", [undefined, null, "", 5, "x".repeat(65), "x".repeat(100_000)]],
  ["role", [undefined, "admin", "Voter", "toString"]],
  ["voters", [null, "bob", ["bob"], [voters[0], "bob"], [voters[0]!.slice(1)], [5], [], {}]],
  ["eligible", [null, "no", 0]],
  ["priority", [null, "5", -1, 101, 1.5, Number.NaN]],
  ["expect", [null, "3", 0, 8, 1.5]],
  ["policy", [null, "auto", "toString", true]],
  ["maxVoters", [null, "3", 0, 8]],
  ["promoteAfterMs", [null, -1, 0.5, Infinity, "60000"]],
  ["demoteAfterMs", [null, -1, 0.5, Infinity, "60000"]],
  ["profile", [null, "LAN", "toString", 1]],
];

describe("an option that is missing, unknown or out of range", () => {
  it.each(refused)("is refused by its name: %s", async (field, values) => {
    for (const value of values) {
      await using mesh = await setup();
      const options = { role: "voter", [field]: value } as never;
      await expect(mesh.join(0, options), `${field}: ${String(value)}`).rejects.toMatchObject({
        code: "kernel/invalid-input",
        detail: { path: field },
      });
    }
  });
  it("is refused where more voters are expected than there may be", async () => {
    await using mesh = await setup();
    await expect(mesh.join(0, { role: "voter", expect: 5, maxVoters: 3 })).rejects.toMatchObject({
      code: "kernel/invalid-input",
      message: "expect: must be a whole number from 1 to 3",
    });
  });
  it("is refused before the store is looked at", async () => {
    await using mesh = await setup();
    const store = { ...memoryVoteStore(), load: () => Promise.reject(new Error("was looked at")) };
    await expect(mesh.join(0, { role: "admin" as never }, store)).rejects.toMatchObject({
      code: "kernel/invalid-input",
    });
  });
});

describe("a log that cannot answer", () => {
  it("is refused", async () => {
    await using mesh = await setup();
    const last = async () => ({ term: 0, index: 0 });
    for (const log of [null, {}, { last }, { last, mayVoteFor: async () => true }] as never[])
      await expect(mesh.join(0, { role: "voter" }, undefined, log)).rejects.toMatchObject({
        code: "kernel/invalid-input",
        detail: { path: "log" },
      });
  });
});
