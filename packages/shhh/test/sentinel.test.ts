import type { Clean } from "@chorus/kernel";
import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { BlockedError, createSentinel } from "../src/index.ts";
import type { Finding } from "../src/index.ts";
import { samplePrivateKey, sampleSecrets } from "../src/testing/index.ts";
import { KEY, plainTags, setup } from "./setup.ts";

const { text: token } = sampleSecrets()[0]!;
const secrets = [...sampleSecrets(5).map(({ text }) => text), samplePrivateKey(), "https://u:pw1@h"];

describe("redact", () => {
  const known = "s3cret value";
  const plain = [known, "a line", '{"a":', "}"];
  const urls = ["https://u:pw1@h", "https://x:"];
  const joined = (words: readonly string[], glue: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.tuple(fc.array(fc.constantFrom(...words), { maxLength: 8 }), glue).map(([list, g]) => list.join(g));

  it("changes nothing the second time", () => {
    const sentinel = setup({ known: [{ value: known, label: "x" }] });
    const withUrls = joined([...secrets, ...plain, ...urls], fc.constantFrom(" ", "\n", "/"));
    const withoutUrls = joined(
      [...secrets.filter((text) => !urls.includes(text)), ...plain],
      fc.constant("@"),
    );
    const property = fc.property(fc.oneof(withUrls, withoutUrls), (text) => {
      const once = sentinel.redact(text).text;
      expect(sentinel.redact(once)).toEqual({ text: once, findings: [] });
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("may hide more the second time where a tag joins a URL's authority, and never less", () => {
    const sentinel = setup({ known: [{ value: known, label: "x" }] });
    const property = fc.property(joined([...secrets, ...plain, ...urls], fc.constant("@")), (text) => {
      const once = sentinel.redact(text).text;
      const twice = sentinel.redact(once).text;
      for (const secret of [...secrets.filter((one) => !urls.includes(one)), known]) {
        expect(once).not.toContain(secret);
        expect(twice).not.toContain(secret);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("leaves a hidden password alone when a tag has taken the place of what ended its URL", () => {
    const sentinel = setup({ known: [{ value: "s3cret value", label: "x" }] });
    const once = sentinel.redact(`https://u:pw1@h@s3cret value@${token}`).text;
    expect(sentinel.redact(once)).toEqual({ text: once, findings: [] });
  });

  it("hides overlapping secrets behind one tag", () => {
    const sentinel = setup({ known: [{ value: `${token} and more`, label: "x" }] });
    expect(plainTags(sentinel.redact(`a ${token} and more b`).text)).toBe("a <known> b");
  });

  it("leaves a tag that a stranger wrote no hiding place", () => {
    expect(plainTags(setup().redact(`[shhh:${token}]`).text)).toBe("[shhh:<github-pat>]");
    expect(plainTags(setup().redact("https://u:[shhh:a:7Q3K-9F2M]real@h").text)).toBe(
      "https://u:<url-password>@h",
    );
  });

  it("tells the listener of each finding, without the secret", () => {
    const heard: Finding[] = [];
    const sentinel = setup({ onFinding: (finding) => heard.push(finding) });
    sentinel.scan(token);
    expect(heard).toEqual([]);
    const { findings } = sentinel.redact(`x ${token}`);
    expect(heard).toEqual(findings);
    expect(JSON.stringify(heard)).not.toContain(token.slice(4));
  });

  it("refuses a key that is too short", () => {
    expect(() => createSentinel({ key: KEY.subarray(0, 8) })).toThrow("16 bytes");
  });
});

describe("pass", () => {
  it("gives back the very bytes, or throws", () => {
    const sentinel = setup();
    const bytes = new Uint8Array(Buffer.from("plain"));
    expect(sentinel.pass(bytes)).toBe(bytes);
    const bad = Buffer.from(`\0\u00ff${token}\0`);
    let thrown: unknown;
    try {
      sentinel.pass(bad);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(BlockedError);
    expect(thrown).toMatchObject({
      code: "shhh/blocked",
      retryable: false,
      findings: [{ rule: "github-pat" }],
    });
    expect((thrown as Error).message + JSON.stringify(thrown)).not.toContain(token.slice(4));
  });
});

describe("the brand", () => {
  it("is what every way out has, and what plain data lacks", () => {
    const sentinel = setup();
    expectTypeOf(sentinel.redact("").text).toEqualTypeOf<Clean<string>>();
    expectTypeOf(sentinel.stream().end()).toEqualTypeOf<Clean<Uint8Array>>();
    expectTypeOf(sentinel.pass(new Uint8Array())).toEqualTypeOf<Clean<Uint8Array>>();
    expectTypeOf<string>().not.toExtend<Clean<string>>();
    expectTypeOf<Uint8Array>().not.toExtend<Clean<Uint8Array>>();
  });
});

describe("redactValue", () => {
  const sentinel = setup();

  it("walks everything that holds text, and changes nothing of the original", () => {
    const original = {
      list: [token, 1, null, true, 5n, undefined],
      map: new Map<unknown, unknown>([[token, { deep: token }]]),
      set: new Set([token]),
      date: new Date(0),
      buffer: Buffer.from(`a ${token}`),
      bytes: new Uint8Array(Buffer.from(token)),
      words: new Uint16Array([1, 2]),
      url: new URL(`https://h/?k=${token}`),
      json: { toJSON: () => ({ inner: token }) },
      regexp: new RegExp(token),
      [token]: 1,
    };
    const before = structuredClone({ ...original, json: undefined, url: undefined });
    const { value, findings } = sentinel.redactValue(original);
    expect(structuredClone({ ...original, json: undefined, url: undefined })).toEqual(before);
    const shown = [...value.map.entries(), ...value.set, ...Object.keys(value), ...value.list.map(String)];
    expect(
      JSON.stringify([value, shown], (_, x: unknown) => (typeof x === "bigint" ? "n" : x)),
    ).not.toContain(token.slice(4));
    expect(value.buffer.toString()).toMatch(/^a \[shhh:/);
    expect(value.words).toEqual(new Uint16Array([1, 2]));
    expect(value.words).not.toBe(original.words);
    expect(value.date).toEqual(original.date);
    expect(value.list.slice(1)).toEqual([1, null, true, 5n, undefined]);
    expect(findings.length).toBeGreaterThanOrEqual(10);
  });

  it("keeps cycles and shared parts", () => {
    const shared = { token };
    const original: Record<string, unknown> = { a: shared, b: shared };
    original["self"] = original;
    const { value, findings } = sentinel.redactValue(original);
    expect(value["self"]).toBe(value);
    expect(value["a"]).toBe(value["b"]);
    expect(findings).toHaveLength(1);
  });

  it("keeps errors errors, with message, stack, cause and own fields redacted", () => {
    const original = Object.assign(new TypeError(`bad ${token}`, { cause: new Error(token) }), { token });
    const { value } = sentinel.redactValue(original);
    expect(value).toBeInstanceOf(TypeError);
    expect(value.name).toBe("TypeError");
    const all = [value.message, value.stack, value.token, (value.cause as Error).message].join(" ");
    expect(all).not.toContain(token.slice(4));
    expect(original.message).toContain(token);
  });

  it("shows nothing of what it cannot read or what is too deep", () => {
    const hostile = {
      get secret(): string {
        throw new Error(token);
      },
      broken: {
        toJSON: () => {
          throw new Error(token);
        },
      },
    };
    const { value } = sentinel.redactValue<unknown>(hostile);
    expect(value).toEqual({ secret: "[shhh:unreadable]", broken: "[shhh:unreadable]" });
    let deep: unknown = token;
    for (let i = 0; i < 20_000; i++) deep = [deep];
    expect(JSON.stringify(sentinel.redactValue(deep).value)).toContain("unreadable");
  });

  it("copies even when nothing is hidden, so that later changes cannot get in", () => {
    const original = { a: ["b"] };
    const { value } = sentinel.redactValue(original);
    original.a.push(token);
    expect(value).toEqual({ a: ["b"] });
  });
});
