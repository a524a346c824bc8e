import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AddressParts, Time } from "../src/contract.ts";
import { formatAddress, normalizeAddress, parseAddress, UcxlError } from "../src/index.ts";
import { cidArbitrary, numRuns } from "./fixtures/setup.ts";

const JSON_STRING = String.raw`"(?:[^"\\]|\\.)*"`;

/** The cases of one file, split by the pattern's groups. */
function vectors(file: string, pattern: RegExp): string[][] {
  const text = readFileSync(new URL(`../vectors/${file}`, import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const match = pattern.exec(line);
    if (match === null) throw new Error(`unreadable vector: ${line}`);
    return match.slice(1);
  });
}

const valid = vectors("valid.txt", new RegExp(`^([a-z]+) (${JSON_STRING})$`)).map(([kind, text]) => ({
  kind: kind!,
  text: JSON.parse(text!) as string,
}));
const invalid = vectors("invalid.txt", new RegExp(`^([a-z0-9-]+) ([0-9]+) (${JSON_STRING})$`)).map(
  ([fault, position, text]) => ({ fault, position: Number(position), text: JSON.parse(text!) as string }),
);
const normalized = vectors(
  "normalize.txt",
  new RegExp(`^(${JSON_STRING}) (?:(${JSON_STRING})|([a-z0-9-]+) ([0-9]+))$`),
).map(([text, address, fault, position]) => ({
  text: JSON.parse(text!) as string,
  expected: address === undefined ? `ucxl/${fault} at ${position}` : (JSON.parse(address) as string),
}));

/** A result, or the fault in the form that is compared. */
function attempt(run: () => string): string {
  try {
    return run();
  } catch (error) {
    if (error instanceof UcxlError) return `${error.code} at ${error.position}`;
    throw error;
  }
}

const short = (text: string): string => JSON.stringify(text.length > 90 ? `${text.slice(0, 90)}…` : text);

describe("vectors", () => {
  it("are at least 85 and name every fault", () => {
    expect(valid.length + invalid.length + normalized.length).toBeGreaterThanOrEqual(85);
    expect(new Set(invalid.map(({ fault }) => fault)).size).toBe(20);
  });
  it.each(valid.map((vector) => [short(vector.text), vector] as const))("accepts %s", (_, { kind, text }) => {
    const address = parseAddress(text);
    expect(address.kind).toBe(kind);
    expect(formatAddress(address)).toBe(text);
    expect(normalizeAddress(text)).toBe(text);
    expect(new URL(text).href).toBe(text);
  });
  it.each(invalid.map((vector) => [short(vector.text), vector] as const))("refuses %s", (_, vector) => {
    const result = attempt(() => JSON.stringify(parseAddress(vector.text)));
    expect(result).toBe(`ucxl/${vector.fault} at ${vector.position}`);
  });
  it.each(normalized.map((vector) => [short(vector.text), vector] as const))("normalizes %s", (_, vector) => {
    expect(attempt(() => normalizeAddress(vector.text))).toBe(vector.expected);
  });
});

describe("parseAddress", () => {
  it("gives the parts, decoded, and the lane", () => {
    expect(parseAddress("ucxl://chorus/t-1/backend/alice/@latest~2/a%20b/%C3%A9")).toEqual({
      kind: "semantic",
      project: "chorus",
      task: "t-1",
      role: "backend",
      agent: "alice",
      lane: "chorus/t-1/backend/alice",
      time: { kind: "latest", back: 2 },
      path: ["a b", "é"],
    });
  });
  it("reads an instant as UTC milliseconds", () => {
    const address = parseAddress("ucxl://a/b/c/d/@t20261122T063000Z");
    expect(address).toMatchObject({ time: { kind: "instant", atMs: Date.UTC(2026, 10, 22, 6, 30) } });
  });
  it("refuses a value that is not text", () => {
    for (const value of [undefined, null, 7, {}, ["ucxl://a/b/c/d/@latest"]])
      expect(attempt(() => JSON.stringify(parseAddress(value)))).toBe("ucxl/scheme at 0");
  });
});

describe("formatAddress", () => {
  it("takes the newest version when no time is given", () => {
    expect(formatAddress({ project: "p", task: "t", role: "r", agent: "a" })).toBe("ucxl://p/t/r/a/@latest");
  });
  it("does not let a part bring slashes along", () => {
    const parts = { project: "p", task: "t/r/a/@latest", role: "r", agent: "a" };
    expect(attempt(() => formatAddress(parts))).toBe("ucxl/name at 9");
    expect(attempt(() => formatAddress({ ...parts, task: "t", path: ["a/b"] }))).toBe(
      "ucxl/segment-char at 24",
    );
  });
  it.each<[Time, string]>([
    [{ kind: "version", seq: 1.5 }, "temporal"],
    [{ kind: "version", seq: 1e21 }, "temporal"],
    [{ kind: "latest", back: Number.NaN }, "temporal"],
    [{ kind: "instant", atMs: Number.NaN }, "temporal"],
    [{ kind: "instant", atMs: 1e300 }, "temporal"],
    [{ kind: "instant", atMs: 500 }, "temporal"],
  ])("refuses the time %j, which has no text", (time, fault) => {
    const parts = { project: "p", task: "t", role: "r", agent: "a", time };
    expect(attempt(() => formatAddress(parts))).toBe(`ucxl/${fault} at 15`);
  });
  it("refuses a segment that is not well-formed", () => {
    const parts = { project: "p", task: "t", role: "r", agent: "a", path: ["x", "\ud800"] };
    expect(attempt(() => formatAddress(parts))).toBe("ucxl/utf8 at 25");
  });
});

describe("any text", () => {
  /** Text close enough to an address to reach every rule. */
  const near = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(
        fc.oneof(
          fc.constantFrom(
            ..."ucxl:// / // @latest @v @t20260230T000000Z ~ * %2F %2e %C3%A9 . .. : ? # é %".split(" "),
          ),
          fc.string({ unit: "grapheme", maxLength: 6 }),
          fc.constantFrom(...valid.map(({ text }) => text)),
        ),
        { maxLength: 12 },
      )
      .map((pieces) => pieces.join("")),
    fc
      .tuple(
        fc.constantFrom(...valid.map(({ text }) => text)),
        fc.nat(1100),
        fc.string({ unit: "binary", maxLength: 3 }),
      )
      .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at + 1)),
  );

  it("is an address or a UcxlError with a position inside it", () => {
    fc.assert(
      fc.property(near, (text) => {
        for (const read of [parseAddress, normalizeAddress])
          try {
            read(text);
          } catch (error) {
            expect(error).toBeInstanceOf(UcxlError);
            expect((error as UcxlError).position).toBeGreaterThanOrEqual(0);
            expect((error as UcxlError).position).toBeLessThanOrEqual(text.length);
          }
      }),
      { numRuns: numRuns(2000) },
    );
  });
  it("normalizes to an address that parses, stays itself, and survives a URL parser", () => {
    fc.assert(
      fc.property(near, (text) => {
        const address = attempt(() => normalizeAddress(text));
        if (address.startsWith("ucxl/")) return;
        expect(normalizeAddress(address)).toBe(address);
        expect(formatAddress(parseAddress(address))).toBe(address);
        expect(new URL(address).href).toBe(address);
      }),
      { numRuns: numRuns(2000) },
    );
  });
});

describe("any address", () => {
  const name = fc.stringMatching(/^[a-z0-9]([a-z0-9._-]{0,6}[a-z0-9])?$/);
  const segment = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
    .map((text) => text.normalize("NFC"))
    .filter((text) => text.isWellFormed() && !/[\p{Cc}/\\]/u.test(text) && text !== "." && text !== "..");
  const time: fc.Arbitrary<Time> = fc.oneof(
    fc.record({ kind: fc.constant("latest" as const), back: fc.nat(999_999_999) }),
    fc.constant({ kind: "first" as const }),
    fc.record({
      kind: fc.constant("version" as const),
      seq: fc.integer({ min: 1, max: 999_999_999_999_999 }),
    }),
    fc
      .integer({ min: 0, max: 253_402_300_799 })
      .map((seconds) => ({ kind: "instant" as const, atMs: seconds * 1000 })),
    fc.record({ kind: fc.constant("cid" as const), cid: cidArbitrary }),
  );
  const parts: fc.Arbitrary<AddressParts> = fc.oneof(
    fc.record({ cid: cidArbitrary, path: fc.array(segment, { maxLength: 5 }) }),
    fc.record({
      project: name,
      task: fc.oneof(name, fc.constant("*")),
      role: fc.oneof(name, fc.constant("*")),
      agent: fc.oneof(name, fc.constant("*")),
      time,
      path: fc.array(segment, { maxLength: 5 }),
    }),
  );

  it("gives back the parts it was formatted from", () => {
    fc.assert(
      fc.property(parts, (given) => {
        const text = formatAddress(given);
        expect(parseAddress(text)).toMatchObject(given);
        expect(new URL(text).href).toBe(text);
        expect(normalizeAddress(text)).toBe(text);
      }),
      { numRuns: numRuns(500) },
    );
  });
});
