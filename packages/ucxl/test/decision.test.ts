import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Canonical, encodeCanonical, InvalidInputError } from "@chorus/kernel";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DecisionDraft } from "../src/contract.ts";
import { type Decision, decodeDecision, encodeDecision } from "../src/index.ts";
import { alice, cidArbitrary, draft, logCid, numRuns } from "./fixtures/setup.ts";

const encoder = new TextEncoder();
const full = await encodeDecision(draft());
const decoded = decodeDecision(full.bytes);

/** The path in the error of a refused call. */
async function refusedField(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    if (error instanceof InvalidInputError) return error.detail["path"];
    throw error;
  }
  return "accepted";
}

/** The record with some fields replaced, encoded without any check. */
function forge(changes: Record<string, unknown>, without: readonly string[] = []): Uint8Array {
  const fields = Object.entries({ ...decoded, ...changes }).filter(([key]) => !without.includes(key));
  return encodeCanonical(Object.fromEntries(fields) as Canonical);
}

describe("encodeDecision", () => {
  it("gives bytes that decode to the same decision", () => {
    expect(decoded).toEqual({ $type: "chorus.decision/1", ...draft() });
  });
  it("fills in the type and a fresh salt", async () => {
    const { salt: _, ...unsalted } = draft();
    const [one, two] = [await encodeDecision(unsalted), await encodeDecision(unsalted)];
    expect(one.cid).not.toBe(two.cid);
    expect(decodeDecision(one.bytes).salt).toHaveLength(16);
    expect(decodeDecision(one.bytes).$type).toBe("chorus.decision/1");
  });
  it("addresses the record by its hash, which sha256sum computes too", () => {
    const hex = createHash("sha256").update(full.bytes).digest("hex");
    const base32 = "abcdefghijklmnopqrstuvwxyz234567";
    const bits = Array.from(full.cid.slice(1))
      .map((char) => base32.indexOf(char).toString(2).padStart(5, "0"))
      .join("");
    const bytes = bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, "0"));
    expect(bytes.slice(-32).join("")).toBe(hex);
    expect(full.address).toBe(`ucxl://${full.cid}`);
  });
  it("names the lane by the author's key, not by the name anyone can take", () => {
    expect(full.laneAddress).toBe(`ucxl://website/t-1/worker/${alice.peer}/@v1`);
  });
  it("sorts parents, which are a set", async () => {
    const parents = [full.cid, logCid];
    const { bytes } = await encodeDecision(draft({ parents }));
    expect(decodeDecision(bytes).parents).toEqual(parents.toSorted());
  });
  it("does not follow a buffer that its caller changes later", async () => {
    const bytes = encoder.encode("before");
    const encoded = encodeDecision(draft({ body: { mediaType: "text/plain", bytes } }));
    bytes.set(encoder.encode("after!"));
    const { body } = decodeDecision((await encoded).bytes);
    expect("bytes" in body && new TextDecoder().decode(body.bytes)).toBe("before");
  });
  it("takes a decoded decision back as it is", async () => {
    expect((await encodeDecision(decoded)).cid).toBe(full.cid);
  });
});

describe("a wrong field is refused by its name", () => {
  const evidence = draft().evidence[0]!;
  const cases: readonly (readonly [string, string, object])[] = [
    ["a type of another version", "$type", { $type: "chorus.decision/2" }],
    ["a short salt", "salt", { salt: new Uint8Array(15) }],
    ["an upper-case cluster", "cluster", { cluster: "Demo" }],
    ["an empty project", "project", { project: "" }],
    ["a task with a slash", "task", { task: "a/b" }],
    ["a pattern as role", "role", { role: "*" }],
    ["an agent that is no peer", "agent/peer", { agent: { peer: "alice" } }],
    ["an agent with more fields", "agent/key", { agent: { peer: alice.peer, key: 1 } }],
    ["a bad agent name", "agent/name", { agent: { peer: alice.peer, name: "A" } }],
    ["version 0", "seq", { seq: 0 }],
    ["a fractional version", "seq", { seq: 1.5 }],
    ["a first version with a past", "prev", { prev: logCid }],
    ["a later version without a past", "prev", { seq: 2, prev: null }],
    ["a past that is no hash", "prev", { seq: 2, prev: "yesterday" }],
    ["17 parents", "parents", { parents: Array.from({ length: 17 }, () => logCid) }],
    ["a repeated parent", "parents", { parents: [logCid, logCid] }],
    ["a parent that is no hash", "parents/1", { parents: [logCid, "x"] }],
    ["an unnamed kind", "kind", { kind: "Task Result" }],
    ["an unknown status", "status", { status: "done" }],
    ["an empty title", "title", { title: "" }],
    ["a title of 201 characters", "title", { title: "x".repeat(201) }],
    ["a title of two lines", "title", { title: "a\nb" }],
    ["a title that is not well-formed", "title", { title: "\ud800" }],
    ["a title that is not NFC", "/title", { title: "e\u0301" }],
    ["a body over 128 KiB", "body/bytes", { body: { mediaType: "a/b", bytes: new Uint8Array(131_073) } }],
    [
      "a body with bytes and hash",
      "body/bytes",
      { body: { mediaType: "a/b", bytes: new Uint8Array(1), cid: logCid } },
    ],
    ["a body without content", "body/bytes", { body: { mediaType: "a/b" } }],
    ["a body without media type", "body/mediaType", { body: { cid: logCid } }],
    ["a media type with spaces", "body/mediaType", { body: { mediaType: "text / plain", cid: logCid } }],
    ["65 pieces of evidence", "evidence", { evidence: Array.from({ length: 65 }, () => evidence) }],
    ["an unknown relation", "evidence/0/rel", { evidence: [{ ...evidence, rel: "rumour" }] }],
    ["a negative size", "evidence/1/size", { evidence: [evidence, { ...evidence, size: -1 }] }],
    [
      "a range past the end",
      "evidence/0/range",
      { evidence: [{ ...evidence, range: { offset: 2, length: 4 } }] },
    ],
    [
      "a range that overflows",
      "evidence/0/range",
      {
        evidence: [
          { ...evidence, range: { offset: Number.MAX_SAFE_INTEGER, length: Number.MAX_SAFE_INTEGER } },
        ],
      },
    ],
    [
      "an empty range",
      "evidence/0/range/length",
      { evidence: [{ ...evidence, range: { offset: 0, length: 0 } }] },
    ],
    ["a replaced record that is no hash", "supersedes", { supersedes: "x" }],
    ["more than full confidence", "confidencePpm", { confidencePpm: 1_000_001 }],
    ["a model without a name", "model/name", { model: { provider: "x" } }],
    ["a time before 1970", "createdAt", { createdAt: -1 }],
    ["an audience without epoch", "audience/epoch", { audience: { role: "worker" } }],
    ["term 0", "adminTerm/term", { adminTerm: { configVersion: 0, term: 0 } }],
    ["a float in ext", "/ext/x/0", { ext: { x: [0.5] } }],
    ["a key of ext that is no name", "ext/X", { ext: { X: 1 } }],
    ["an ext that is a list", "ext", { ext: [1] }],
    [
      "33 entries in ext",
      "ext",
      { ext: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`x${i}`, i])) },
    ],
    ["an ext over 16 KiB", "ext", { ext: { x: new Uint8Array(16_384) } }],
    ["a field of no version", "verdict", { verdict: "yes" }],
  ];
  it.each(cases)("%s: %s", async (_, path, changes) => {
    expect(await refusedField(() => encodeDecision(draft(changes as Partial<DecisionDraft>)))).toBe(path);
  });
  it("counts the characters of a title as people do", async () => {
    expect(await refusedField(() => encodeDecision(draft({ title: "😀".repeat(200) })))).toBe("accepted");
    expect(await refusedField(() => encodeDecision(draft({ title: "😀".repeat(201) })))).toBe("title");
  });
  it("takes a body of 128 KiB", async () => {
    const body = { mediaType: "a/b", bytes: new Uint8Array(131_072) };
    expect(await refusedField(() => encodeDecision(draft({ body })))).toBe("accepted");
  });
});

describe("decodeDecision", () => {
  const required = Object.keys(decoded).filter(
    (key) => !["supersedes", "confidencePpm", "model", "adminTerm", "ext"].includes(key),
  );
  it.each(required)("misses %s by its name", async (key) => {
    expect(await refusedField(() => decodeDecision(forge({}, [key])))).toBe(key);
  });
  it("does without every optional field", () => {
    const bytes = forge({ agent: { peer: alice.peer } }, [
      "supersedes",
      "confidencePpm",
      "model",
      "adminTerm",
      "ext",
    ]);
    expect(decodeDecision(bytes).agent).toEqual({ peer: alice.peer });
  });
  it("refuses unknown fields, at the top and below", async () => {
    expect(await refusedField(() => decodeDecision(forge({ extra: 1 })))).toBe("extra");
    const audience = { role: "worker", epoch: 1, extra: 1 };
    expect(await refusedField(() => decodeDecision(forge({ audience })))).toBe("audience/extra");
  });
  it("refuses parents out of order", async () => {
    const parents = [full.cid, logCid].toSorted().toReversed();
    expect(await refusedField(() => decodeDecision(forge({ parents })))).toBe("parents");
  });
  it("refuses other encodings of the same record", async () => {
    const longerHead = Uint8Array.of(0xb8, full.bytes[0]! & 0x1f, ...full.bytes.subarray(1));
    expect(await refusedField(() => decodeDecision(longerHead))).toBe("bytes");
    expect(await refusedField(() => decodeDecision(Uint8Array.of(...full.bytes, 0)))).toBe("bytes");
  });
  it("refuses more than 256 KiB unread", async () => {
    expect(await refusedField(() => decodeDecision(new Uint8Array(262_145)))).toBe("bytes");
  });
  it("refuses any flipped bit, or it is another record", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(full.bytes.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = full.bytes.slice();
        bytes[at]! ^= 1 << bit;
        let other: Decision;
        try {
          other = decodeDecision(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInputError);
          return;
        }
        expect((await encodeDecision(other)).cid).not.toBe(full.cid);
      }),
      { numRuns: numRuns(400) },
    );
  });
  it("gives back any decision that encodes", async () => {
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9._-]{0,46}[a-z0-9])?$/);
    const changes = fc.record(
      {
        task: name,
        title: fc
          .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
          .map((text) => text.normalize("NFC"))
          .filter((text) => text.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(text)),
        status: fc.constantFrom("proposed" as const, "accepted" as const, "withdrawn" as const),
        parents: fc.uniqueArray(cidArbitrary, { maxLength: 16 }),
        body: fc.oneof(
          fc.record({ mediaType: fc.constant("text/plain"), bytes: fc.uint8Array() }),
          fc.record({ mediaType: fc.constant("image/svg+xml"), cid: cidArbitrary }),
        ),
        createdAt: fc.maxSafeNat(),
        confidencePpm: fc.nat(1_000_000),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(changes, async (given) => {
        const { bytes, cid } = await encodeDecision(draft(given));
        const again = decodeDecision(bytes);
        expect(again).toMatchObject({
          ...given,
          ...(given.parents && { parents: given.parents.toSorted() }),
        });
        expect((await encodeDecision(again)).cid).toBe(cid);
      }),
      { numRuns: numRuns(100) },
    );
  });
});

describe("the record vectors", () => {
  const text = readFileSync(new URL("../vectors/decisions.txt", import.meta.url), "utf8");
  const cases = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  it.each(cases.map((line) => line.split(" ")))("%s is the hash of its bytes", async (cid, hex) => {
    const decision = decodeDecision(new Uint8Array(Buffer.from(hex ?? "", "hex")));
    const encoded = await encodeDecision(decision);
    expect(encoded.cid).toBe(cid);
    expect(Buffer.from(encoded.bytes).toString("hex")).toBe(hex);
  });
  it("hold the record of these tests", () => {
    expect(cases.map((line) => line.split(" ")[0])).toContain(full.cid);
  });
});
