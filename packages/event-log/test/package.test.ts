import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as api from "../src/index.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

describe("the package", () => {
  it("exports what its documentation names", () => {
    expect(Object.keys(api).toSorted()).toEqual([
      "EventLogError",
      "eventLog",
      "openCheckpoint",
      "verifyConsistency",
      "verifyInclusion",
    ]);
  });
  it("shows one example in its README and in its doc comment", () => {
    const example = /@example\n((?: \*.*\n)+?) \*\n \* @packageDocumentation/.exec(read("src/index.ts"))?.[1];
    const sample = /```ts\n([^]*?)```/.exec(read("README.md"))?.[1];
    expect(sample).toBe(example?.replaceAll(/^ \* ?/gm, ""));
  });
});
