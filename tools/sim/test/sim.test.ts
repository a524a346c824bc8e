import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runScenario } from "../../scenarios.ts";
import { random } from "../random.ts";
import { run } from "../scenarios/tasks.ts";
import { mutants } from "../tasks/machine.ts";

const SEEDS = process.env["SLOW"] ? 2000 : 25;

describe("tasks", () => {
  it(`keeps every promise for ${SEEDS} seeds`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= SEEDS; seed++)
      expect(await run(seed, { nodes: 1 + (seed % 7) }), `seed ${seed}`).toEqual([]);
  });

  it.each<[string, RegExp]>([
    ["ignore-token", /a stale token was let through/],
    ["restart-tokens", /its token did not rise/],
    ["lose-task", /the acknowledged task of .* is lost/],
    ["commit-twice", /it was finished twice/],
  ])("catches the mutant %s within 10 seeds", async (mutant, finding) => {
    const finds = async (seed: number) =>
      (await run(seed, { nodes: 5, mutant })).some((text) => finding.test(text));
    let seed = 1;
    while (seed <= 10 && !(await finds(seed))) seed++;
    expect(seed).toBeLessThanOrEqual(10);
  });

  it("has a test for every mutant", () => {
    expect(Object.keys(mutants)).toHaveLength(4);
  });

  it("does the same again for the same seed", async () => {
    const once = await run(5, { nodes: 5, mutant: "ignore-token" });
    expect(await run(5, { nodes: 5, mutant: "ignore-token" })).toEqual(once);
  });
});

describe("the command line", () => {
  /** A folder with one scenario that finds what its seed and options say. */
  async function cli(...argv: readonly string[]) {
    const folder = mkdtempSync(join(tmpdir(), "scenarios-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, "scenarios"));
    writeFileSync(
      join(folder, "scenarios/odd.mjs"),
      `export const about = "finds odd seeds";
       export function run(seed, { nodes, mutant }) {
         if (mutant) throw new Error("planted");
         return seed % 2 ? ["odd with " + nodes] : [];
       }`,
    );
    // Node reads .ts only outside of node_modules; the runner looks for nothing else.
    writeFileSync(join(folder, "scenarios/odd.ts"), 'export { about, run } from "./odd.mjs";\n');
    const lines: string[] = [];
    const count = { name: "seeds", standard: 3 } as const;
    const code = await runScenario(argv, { folder, count, print: (line) => lines.push(line) });
    return { code, lines };
  }

  it("prints each violation with its seed, and their number last", async () => {
    const { code, lines } = await cli("odd", "--seeds", "4", "--seed", "10", "--nodes", "3");
    expect(lines.slice(0, 2)).toEqual(["seed 11: odd with 3", "seed 13: odd with 3"]);
    expect(lines.at(-1)).toBe("violations: 2");
    expect(code).toBe(1);
  });

  it("ends with 0 when all promises hold", async () => {
    const { code, lines } = await cli("odd", "--seeds", "1", "--seed", "2");
    expect([code, lines.at(-1)]).toEqual([0, "violations: 0"]);
  });

  it("takes a scenario that throws for a violation", async () => {
    const { code, lines } = await cli("odd", "--mutant", "any");
    expect(lines[0]).toContain("seed 1: the scenario threw: Error: planted");
    expect([code, lines.at(-1)]).toEqual([1, "violations: 3"]);
  });

  it.each([
    [[]],
    [["even"]],
    [["odd", "odd"]],
    [["odd", "--seeds", "many"]],
    [["odd", "--seeds", "0"]],
    [["odd", "--colour", "red"]],
  ])("lists the scenarios instead of guessing what %j means", async (argv) => {
    const { code, lines } = await cli(...argv);
    expect(code).toBe(2);
    expect(lines.at(-1)).toBe("  odd: finds odd seeds");
  });
});

it("draws whole numbers evenly enough, and the same ones again", () => {
  const draw = (seed: number) =>
    Array.from(
      { length: 6000 },
      (
        (chance) => () =>
          chance.below(6)
      )(random(seed)),
    );
  const counts = draw(1).reduce((sums, value) => sums.with(value, sums[value]! + 1), [0, 0, 0, 0, 0, 0]);
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  expect(draw(1)).toEqual(draw(1));
  expect(draw(2)).not.toEqual(draw(1));
});
