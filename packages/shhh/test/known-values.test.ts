import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { samplePrivateKey } from "../src/testing/index.ts";
import { plainTags, setup, utf8 } from "./setup.ts";

const secret = 'pä "quoted" /+& wörd';

describe("known values", () => {
  it.each([
    ["raw", secret],
    ["JSON", JSON.stringify(secret).slice(1, -1)],
    ["JSON in JSON", JSON.stringify(JSON.stringify(secret)).slice(3, -3)],
    ["ASCII JSON", JSON.stringify(secret).slice(1, -1).replace("ä", "\\u00e4").replace("ö", "\\u00f6")],
    ["percent", encodeURIComponent(secret)],
    ["percent in lower case", encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase())],
    ["form", new URLSearchParams({ a: secret }).toString().slice(2)],
    ["hex", Buffer.from(secret).toString("hex")],
    ["upper hex", Buffer.from(secret).toString("hex").toUpperCase()],
  ])("are found in %s, with one fingerprint", (_, encoded) => {
    const sentinel = setup({ known: [{ value: secret, label: "env:PASSWORD" }] });
    const { text, findings } = sentinel.redact(`a=${encoded};`);
    expect(plainTags(text)).toBe("a=<known>;");
    expect(findings[0]).toMatchObject({ rule: "known", kind: "env:PASSWORD", confidence: "certain" });
    expect(findings[0]?.fingerprint).toBe(sentinel.scan(secret)[0]?.fingerprint);
  });

  it("are found inside other base64, whatever stands around them", () => {
    const property = fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 60 }),
      fc.uint8Array({ maxLength: 7 }),
      fc.uint8Array({ maxLength: 7 }),
      fc.constantFrom("base64" as const, "base64url" as const),
      (value, before, after, encoding) => {
        const encoded = Buffer.concat([before, value, after]).toString(encoding);
        const [finding] = setup({ known: [{ value, label: "x" }] }).scan(encoded);
        expect(finding?.rule).toBe("known");
        // At most the characters that share bits with the neighbours stay.
        expect(finding!.start).toBeLessThanOrEqual(Math.ceil((before.length * 8) / 6) + 1);
        expect(finding!.end).toBeGreaterThanOrEqual(Math.floor(((before.length + value.length) * 8) / 6));
      },
    );
    fc.assert(property, { numRuns: 150 });
  });

  it("are found line by line when they have several", () => {
    const value = samplePrivateKey();
    const sentinel = setup({ known: [{ value, label: "file:key" }] });
    for (const line of value.split("\n").slice(1, -1))
      expect(plainTags(sentinel.redact(`log: ${line}`).text)).toBe("log: <known>");
    expect(sentinel.redact("-----BEGIN PRIVATE KEY-----").findings).toEqual([]);
  });

  it("are found in bytes that are not text", () => {
    const value = new Uint8Array(randomBytes(32));
    const sentinel = setup({ known: [{ value, label: "key" }] });
    const bytes = Buffer.concat([randomBytes(100), value, randomBytes(100)]);
    expect(sentinel.scanBytes(bytes)).toMatchObject([{ rule: "known", start: 100, end: 132 }]);
  });

  it("are forgotten at once, and by each teacher for itself", () => {
    const sentinel = setup();
    const first = sentinel.learn("tr0ub4dor&3", "a");
    const second = sentinel.learn("tr0ub4dor&3", "b");
    expect(first.accepted && second.accepted).toBe(true);
    first.forget();
    first.forget();
    expect(sentinel.scan("tr0ub4dor&3")).toMatchObject([{ kind: "b" }]);
    second.forget();
    expect(sentinel.scan("tr0ub4dor&3")).toEqual([]);
  });

  it("stay hidden in a stream that was open when they were forgotten", () => {
    const sentinel = setup();
    const { forget } = sentinel.learn("tr0ub4dor&3", "a");
    const stream = sentinel.stream();
    forget();
    expect(plainTags(utf8(stream.push(Buffer.from("x tr0ub4dor&3 y\n"))) + utf8(stream.end()))).toBe(
      "x <known> y\n",
    );
  });

  it.each([
    ["short", "it is shorter than 8 characters"],
    ["  short  ", "it is shorter than 8 characters"],
    ["password", "it is too common"],
    ["aaaaaaaaab", "it is too common"],
    ["github-pat", "it occurs in tags"],
    ["x[shhh:known:7Q3K-9F2M]", "it occurs in tags"],
    ["x1".repeat(2501), "it is longer than 5000 bytes"],
  ])("refuses %s", (value, reason) => {
    const sentinel = setup();
    const learned = sentinel.learn(value, "x");
    expect(learned).toMatchObject({ accepted: false, reason });
    expect(sentinel.scan(value.slice(0, 50))).toEqual([]);
  });
});
