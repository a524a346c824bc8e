import { describe, expect, it } from "vitest";
import { GENESIS, seal } from "../src/chain.ts";
import { start } from "../src/core/state.ts";
import { step } from "../src/core/step.ts";
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
    let [committed, leaders, changes, snapshots, installed] = [0, 0, 0, 0, 0];
    for (let seed = 1; seed <= 100; seed++) {
      const world = new World(seed, 3);
      await world.run(STEPS);
      committed += world.committed;
      leaders += world.leaders;
      changes += world.changes;
      snapshots += world.snapshots;
      installed += world.installed;
    }
    expect(committed).toBeGreaterThan(75);
    expect(leaders).toBeGreaterThan(75);
    expect(changes).toBeGreaterThan(10);
    expect(snapshots).toBeGreaterThan(50);
    expect(installed).toBeGreaterThan(10);
  });
  it.each(Object.keys(ALL_RULES))(
    "are all needed: without %s a promise is broken",
    async (rule) => {
      const broken = await firstBroken(MUTANT_SEEDS, { ...ALL_RULES, [rule]: false });
      expect(broken).toBeDefined();
    },
    120_000,
  );
  it("let a log that holds a snapshot's last entry keep what follows it", () => {
    const drafts = ["a", "b", "c", "d"].map((id) => ({ id, command: new Uint8Array(1) }));
    const entries = seal(GENESIS, 1, drafts);
    const [, , mark] = entries;
    const found = start({ fixed: false, committed: GENESIS, tail: entries });
    const { state } = step(found, { kind: "follow", term: 2, elected: 2 });
    for (const kind of ["offer", "install"] as const) {
      const known = step(state, { kind, term: 2, mark: mark!, elected: 2 });
      expect(known.effects).toMatchObject([{ kind: "ask", probe: { index: 3 } }]);
      expect(known.state.tail).toEqual(entries);
      const other = { ...mark!, checksum: new Uint8Array(32) };
      const replaced = step(state, { kind, term: 2, mark: other, elected: 2 });
      expect(replaced.effects[0]).toMatchObject({ kind: kind === "offer" ? "fetch" : "install" });
      expect(replaced.state.tail).toEqual(kind === "offer" ? entries : []);
    }
  });
  it("refuse a snapshot of another leader, of an old term, and one behind the log", () => {
    const [a, b] = seal(GENESIS, 1, [
      { id: "a", command: new Uint8Array(1) },
      { id: "b", command: new Uint8Array(1) },
    ]);
    const found = start({ fixed: false, committed: b!, tail: [] });
    const { state } = step(found, { kind: "follow", term: 2, elected: 2 });
    const later = { ...b!, index: 9 };
    for (const kind of ["offer", "install"] as const) {
      const problems = [
        step(state, { kind, term: 3, mark: later, elected: 2 }),
        step(state, { kind, term: 2, mark: later, elected: 3 }),
        step(state, { kind, term: 2, mark: a!, elected: 2 }),
      ].map(({ effects }) => effects);
      expect(problems).toMatchObject([
        [{ kind: "refuse", problem: "this peer does not follow that leader" }],
        [{ kind: "refuse", problem: "a newer term is known" }],
        [{ kind: "refuse", problem: "the snapshot is behind the log" }],
      ]);
    }
  });
});
