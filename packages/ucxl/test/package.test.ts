import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as api from "../src/index.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

describe("the package", () => {
  it("runs in a browser: no source imports a Node module or uses a Node global", () => {
    for (const file of readdirSync(new URL("../src", import.meta.url))) {
      const source = read(`src/${file}`);
      expect(source, file).not.toMatch(/from "node:|\bBuffer\b|\bprocess\./);
    }
  });
  it("exports what its documentation names", () => {
    expect(Object.keys(api).toSorted()).toEqual([
      "UcxlError",
      "decodeDecision",
      "encodeDecision",
      "formatAddress",
      "normalizeAddress",
      "parseAddress",
      "signDecision",
      "verifyDecision",
      "verifyHistory",
    ]);
  });
  it("shows one example in its README and in its doc comment", () => {
    const example = /@example\n((?: \*.*\n)+?) \*\n \* @packageDocumentation/.exec(read("src/index.ts"))?.[1];
    const sample = /```ts\n([^]*?)```/.exec(read("README.md"))?.[1];
    expect(sample).toBe(example?.replaceAll(/^ \* ?/gm, ""));
  });
});
