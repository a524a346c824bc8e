import { expect, it } from "vitest";
import { InvalidTaskError } from "../../src/errors.ts";
import { parseTask } from "../../src/task-spec.ts";
import { slot } from "./target.ts";

const problemsOf = (effects: unknown): unknown => {
  try {
    parseTask({ goal: "g", effects });
  } catch (error) {
    return error instanceof InvalidTaskError ? error.detail["errors"] : error;
  }
  return [];
};

it("takes effects with their patterns as they are", () => {
  const many = {
    ...slot,
    target: "https://shop.example/*",
    payload: "out/*.txt",
    times: 16,
    approval: "human",
  };
  expect(parseTask({ goal: "g", effects: [many] }).effects).toEqual([many]);
});

it.each([
  [[{ ...slot, target: "https://shop.example/*" }], "/effects/0/target"],
  [[{ ...slot, target: "https://*.example/*", payload: "out/*" }], "/effects/0/target"],
  [[{ ...slot, payload: "out/*/*" }], "/effects/0/payload"],
  [[{ ...slot, times: 2 }], "/effects/0/times"],
  [[{ ...slot, payload: "out/*", times: 17 }], "/effects/0/times"],
  [[{ ...slot, slot: "Not a name" }], "/effects/0/slot"],
  [[{ ...slot, approval: "maybe" }], "/effects/0/approval"],
  [[{ ...slot, options: { "Not a name": "x" } }], "/effects/0/options/Not a name"],
  [[{ ...slot, secret: "x" }], "/effects/0/secret"],
  [[slot, slot], "/effects"],
  [Array.from({ length: 17 }, (_, n) => ({ ...slot, slot: `s${n}` })), "/effects"],
])("refuses %j by the name of the field", (effects, pointer) => {
  expect(problemsOf(effects)).toEqual([{ pointer, detail: expect.any(String) }]);
});
