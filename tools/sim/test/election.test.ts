import { describe, expect, it } from "vitest";
import { ALL_RULES, firstConfig } from "@chorus/election/testing";
import { createSigner } from "@chorus/kernel";
import { courses } from "../election/course.ts";
import { harms } from "../election/invariants.ts";
import { mutants } from "../election/mutants.ts";
import { simulator } from "../election/system.ts";
import { run } from "../scenarios/election.ts";
import { spread, worthSpreading } from "../spread.ts";
import { catchesMutants, keepsPromises, slow } from "./fixtures/promises.ts";

const timeout = slow ? 7_200_000 : 600_000;

describe("the election", () => {
  const amounts: readonly (readonly [number, number])[] = slow
    ? [
        [3, 100_000],
        [5, 20_000],
      ]
    : [
        [3, 1600],
        [5, 400],
      ];
  keepsPromises("election", { amounts, timeout });
  catchesMutants(mutants, simulator, timeout);

  it("would see two foundings that share a voter", async () => {
    const signers = await Promise.all([1, 2, 3, 4].map((n) => createSigner(new Uint8Array(32).fill(n))));
    const [a, b, c, d] = signers.map(({ peer }) => peer);
    const check = harms()["foundings share no voter"];
    const sees = (...names: (typeof a)[]): string | undefined => {
      const founded = { config: firstConfig("mesh", names as never) };
      return check?.({ touched: 0, nodes: [{ running: { state: { founded } } }] } as never);
    };
    expect([sees(a, b), sees(a, b), sees(c, d)]).toEqual([undefined, undefined, undefined]);
    expect(sees(b, c)).toMatch(/^two foundings share a voter: /);
  });

  it("has a mutant for every rule", () => {
    expect(Object.keys(mutants).toSorted()).toEqual(Object.keys(ALL_RULES).toSorted());
  });

  it("does the same again for the same seed", () => {
    for (const course of courses) {
      const [one, other] = [simulator({ course, nodes: 3 }), simulator({ course, nodes: 3 })];
      for (let seed = 1; seed <= 5; seed++) expect(one.run(seed)).toEqual(other.run(seed));
    }
  });

  it("meets everything that it is there for: terms, changes, hand-overs, foldings", () => {
    const traces = courses.flatMap((course) => {
      const election = simulator({ course, nodes: 3 });
      return Array.from({ length: 12 }, (_, i) => election.replay(election.run(i + 1)).trace.join("\n"));
    });
    const seen = traces.flatMap((text) =>
      [...text.matchAll(/ → \w[\w-]*: ([a-z -]+), term/g)].map(([, cause]) => cause),
    );
    const causes = [
      "deadline passed",
      "quorum would vote",
      "quorum voted",
      "lease lapsed",
      "higher term",
      "admin heard",
      "hand-over",
      "lead received",
      "made a voter",
      "no longer a voter",
    ];
    expect([...new Set(seen)]).toEqual(expect.arrayContaining(causes));
  });

  it("prints a violation shrunk, with its course and seed", { timeout }, () => {
    const [text] = run(firstOf("stickiness"), { nodes: 3, mutant: "stickiness" });
    expect(text).toMatch(/^course fixed\nseed \d+, \d nodes[^]*VIOLATED at .*hold a lease/);
    expect(() => run(1, { nodes: 3, mutant: "nonsense" })).toThrow(RangeError);
  });
});

function firstOf(mutant: string): number {
  const election = simulator({ course: "fixed", nodes: 3, mutant });
  for (let seed = 1; ; seed++) if (election.run(seed).violation) return seed;
}

describe("many seeds", () => {
  it("are spread over processes, and few are not", () => {
    const many = ["election", "--seeds", "2000", "--seed", "7", "--nodes", "3"];
    expect(worthSpreading(many)).toEqual({
      scenario: "election",
      seeds: 2000,
      seed: 7,
      rest: ["--nodes", "3"],
    });
    for (const argv of [
      ["election"],
      ["election", "--seeds", "20"],
      ["--seeds", "2000"],
      ["election", "--seeds", "x"],
    ])
      expect(worthSpreading(argv)).toBeUndefined();
  });

  it("give the violations that one process finds", { timeout }, async () => {
    const seed = firstOf("stickiness");
    const lines: string[] = [];
    const rest = ["--nodes", "3", "--mutant", "stickiness"];
    const count = await spread({ scenario: "election", seeds: 1, seed, rest }, (line) => lines.push(line));
    expect(count).toBe(1);
    expect(lines[0]).toBe(`seed ${seed}: course fixed`);
    expect(lines.at(-1)).toBe("violations: 1");
  });
});
