import { describe, expect, it } from "vitest";
import { ALL_RULES, World, type WorldRules } from "./fixtures/world.ts";

const SEEDS = process.env["SLOW"] === "1" ? 100_000 : 3000;
/** Within so many seeds each rule that is switched off is missed. */
const MUTANT_SEEDS = 8000;
const STEPS = 1200;

/** The first seed that breaks a promise, undefined when none does. */
async function firstBroken(
  seeds: number,
  rules?: WorldRules,
): Promise<{ seed: number; error: unknown } | undefined> {
  for (let seed = 1; seed <= seeds; seed++)
    try {
      await new World(seed, seed % 3 === 0 ? 5 : 3, rules).run(STEPS);
    } catch (error) {
      return { seed, error };
    }
  return undefined;
}

describe("the log's rules", () => {
  it("keep every promise on random walks through crashes, elections and lost messages", async () => {
    expect(await firstBroken(SEEDS)).toBeUndefined();
  }, 600_000);
  it("let entries be committed under many leaders and voters in these walks", async () => {
    let [committed, leaders, changes] = [0, 0, 0];
    for (let seed = 1; seed <= 100; seed++) {
      const world = new World(seed, 3);
      await world.run(STEPS);
      committed += world.committed;
      leaders += world.leaders;
      changes += world.changes;
    }
    expect(committed).toBeGreaterThan(75);
    expect(leaders).toBeGreaterThan(75);
    expect(changes).toBeGreaterThan(10);
  });
  it.each(Object.keys(ALL_RULES))(
    "are all needed: without %s a promise is broken",
    async (rule) => {
      const broken = await firstBroken(MUTANT_SEEDS, { ...ALL_RULES, [rule]: false });
      expect(broken).toBeDefined();
    },
    120_000,
  );
});
