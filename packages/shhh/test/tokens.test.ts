import { describe, expect, it } from "vitest";
import { BUILT_IN_RULES } from "../src/rules.ts";
import { sampleSecrets } from "../src/testing/index.ts";
import { plainTags, setup } from "./setup.ts";

const sentinel = setup();
const samples = [1, 2, 3].flatMap((seed) => sampleSecrets(seed));

describe("built-in token rules", () => {
  it("are more than a hundred, each with its own id", () => {
    expect(BUILT_IN_RULES.length).toBeGreaterThan(100);
    expect(new Set(BUILT_IN_RULES.map(({ id }) => id)).size).toBe(BUILT_IN_RULES.length);
  });

  it.each(BUILT_IN_RULES.map(({ id }) => id))(
    "hides %s whole, wherever it stands, in text and in bytes",
    (id) => {
      const wraps = [
        "%s",
        "x = %s;",
        '"key":"%s",',
        "\\n%s\\n",
        "a%20%s%0A",
        "\u001b[31m%s\u001b[0m",
        "日%s本",
        "(%s)",
      ];
      for (const { text, hiddenFrom } of samples.filter(({ rule }) => rule === id))
        for (const wrap of wraps) {
          const [before = "", after = ""] = wrap.split("%s");
          const redacted = sentinel.redact(before + text + after);
          expect(redacted.findings).toMatchObject([
            { start: before.length + hiddenFrom, end: before.length + text.length },
          ]);
          expect(redacted.text.startsWith(before + text.slice(0, hiddenFrom))).toBe(true);
          expect(redacted.text.endsWith(`]${after}`)).toBe(true);
          const inBytes = sentinel.stream();
          const bytes = [inBytes.push(Buffer.from(before + text + after)), inBytes.end()];
          expect(Buffer.concat(bytes).toString()).toBe(redacted.text);
        }
    },
  );

  it("names the rule in the tag, and tells equal secrets by equal tags", () => {
    const [a, b] = [samples[0]!.text, sampleSecrets(9)[0]!.text];
    const tags = sentinel.redact(`${a} ${b} ${a}`).text.split(" ");
    expect(tags[0]).toMatch(/^\[shhh:github-pat:[0-9A-Z]{4}-[0-9A-Z]{4}\]$/);
    expect(tags[2]).toBe(tags[0]);
    expect(tags[1]).not.toBe(tags[0]);
    expect(setup({ key: new Uint8Array(32) }).redact(a).text).not.toBe(tags[0]);
  });

  it("is certain when the token's checksum holds, and hides it all the same when it does not", () => {
    const good = samples.find(({ rule }) => rule === "npm")!.text;
    const bad = good.slice(0, -1) + (good.endsWith("0") ? "1" : "0");
    expect(sentinel.scan(good)[0]).toMatchObject({ confidence: "certain", checksumOk: true });
    expect(sentinel.scan(bad)[0]).toMatchObject({ confidence: "strong", checksumOk: false });
  });

  it("hides a longer token whole behind an unmistakable prefix", () => {
    const { text } = samples.find(({ rule }) => rule === "shopify")!;
    expect(plainTags(sentinel.redact(`${text}0123456789abcdef rest`).text)).toBe("<shopify> rest");
  });

  it("leaves what only looks like the beginning of a token", () => {
    const { text } = samples.find(({ rule }) => rule === "aws-access-key-id")!;
    const innocent = [
      text.slice(0, -1),
      `x${text}`,
      `${text}A`,
      "npm_config_registry=https://registry.example/",
      "the sk- prefix, disk-space, task-list, ghp_ and glpat- alone",
      `ghp_${"x".repeat(36)}`,
      "key-value store, key-0123",
    ];
    for (const line of innocent) expect(sentinel.redact(line).text).toBe(line);
  });
});

describe("custom rules", () => {
  it("join the built-in ones", () => {
    const own = setup({
      rules: [{ id: "acme", kind: "ACME key", anchors: ["acme_"], body: [{ of: "hex", min: 16 }] }],
    });
    expect(plainTags(own.redact("acme_0123456789abcdef").text)).toBe("<acme>");
  });

  it.each([
    [{ id: "Bad Id" }, "id"],
    [{ anchors: ["a"] }, "anchor"],
    [{ body: [] }, "body"],
    [{ body: [{ of: "nonsense", min: 1 }] }, "alphabet"],
    [{ body: [{ of: "hex", min: 9, max: 3 }] }, "min and max"],
    [{ behind: { of: "token", min: 1, max: 4 } }, "behind"],
  ])("refuse %j", (change, problem) => {
    const rule = { id: "acme", kind: "k", anchors: ["acme_"], body: [{ of: "hex", min: 16 }], ...change };
    expect(() => setup({ rules: [rule as never] })).toThrow(problem);
  });
});
