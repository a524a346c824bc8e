import { describe, expect, it } from "vitest";
import { run } from "../scenarios/stack.ts";
import { courses } from "../stack/course.ts";
import { mutants } from "../stack/mutants.ts";
import { simulator } from "../stack/system.ts";
import { catchesMutants, keepsPromises, slow } from "./fixtures/promises.ts";

/** What a run notes of a committed command. */
const NOTES = [
  "task-(submit|claim|renew|progress|complete|fail|cancel|expire|ask|pause|resume|steer|takeover|hand-back)",
  "task-(overdue|evidence)",
  "effect-(intent|receipt|uncertain|void|decide)",
].flatMap((text) => alternatives(text).map((name) => `: ${name} →`));
const STATES = [
  "(blocked|ready|leased|working|paused|input-required|completed|failed|canceled|rejected|expired|dead-letter)",
  "slot-0 (permitted|awaiting-approval|done|uncertain|void)",
].flatMap((text) => alternatives(text).map((name) => ` ${name}`));
const REFUSALS = alternatives("refused: (fenced|renewed|conflict|not-possible)");

/** `a (b|c)` as `a b` and `a c`. */
function alternatives(text: string): readonly string[] {
  const [, before = "", choices = ""] = /^(.*)\((.*)\)$/.exec(text) ?? [];
  return choices.split("|").map((choice) => `${before}${choice}`);
}

const timeout = slow ? 14_400_000 : 600_000;

describe("the whole stack", () => {
  const amounts: readonly (readonly [number, number])[] = slow
    ? [
        [3, 90_000],
        [5, 10_000],
      ]
    : [
        [3, 1700],
        [5, 300],
      ];
  keepsPromises("stack", { amounts, timeout });
  catchesMutants(mutants, simulator, timeout);

  it("does the same again for the same seed", () => {
    for (const course of new Set(courses)) {
      const [one, other] = [simulator({ course, nodes: 3 }), simulator({ course, nodes: 3 })];
      for (let seed = 1; seed <= 3; seed++) expect(one.run(seed)).toEqual(other.run(seed));
    }
  });

  it("meets everything that it is there for", () => {
    const notes: string[] = [];
    const onCommitted = (note: string): void => void notes.push(note);
    for (let seed = 1; seed <= 100; seed++) {
      const course = courses[seed % courses.length] ?? "fixed";
      simulator({ course, nodes: 3, onCommitted }).run(seed);
    }
    const text = notes.join("\n");
    const missing = [...NOTES, ...STATES, ...REFUSALS].filter((one) => !text.includes(one));
    expect(missing).toEqual([]);
  });

  it("prints a violation shrunk, with its course and seed", { timeout }, () => {
    const [text] = run(1, { nodes: 3, mutant: "ackBeforeQuorum" });
    expect(text).toMatch(/^course fixed\nseed \d+, \d nodes[^]*VIOLATED at .*nobody has it/);
    expect(() => run(1, { nodes: 3, mutant: "nonsense" })).toThrow(RangeError);
  });
});
