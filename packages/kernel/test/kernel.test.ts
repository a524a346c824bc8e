import { createHash, generateKeyPairSync, sign } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Canonical,
  cidOf,
  createSigner,
  decodeCanonical,
  encodeCanonical,
  errorCode,
  openEnvelope,
  parseCid,
  parsePeerId,
  partsOfCid,
  peerIdFromPublicKey,
  publicKeyOf,
  sealEnvelope,
  verifySignature,
} from "../src/index.ts";

const signer = await createSigner(new Uint8Array(32).fill(7));
const codeOf = (run: () => unknown): string | undefined => {
  try {
    run();
  } catch (error) {
    return errorCode(error);
  }
  return undefined;
};

describe("canonical encoding", () => {
  const canonical: fc.Arbitrary<Canonical> = fc.letrec<{ value: Canonical }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger().map((n) => (Object.is(n, -0) ? 0 : n)),
      fc.string({ unit: "grapheme" }).map((s) => s.normalize("NFC")),
      fc.uint8Array(),
      fc.array(tie("value")),
      fc.dictionary(
        fc.string({ unit: "grapheme-ascii", minLength: 1 }).filter((key) => key !== "__proto__"),
        tie("value"),
      ),
    ),
  })).value;

  it("gives back what it was given", () => {
    fc.assert(
      fc.property(canonical, (value) => {
        const bytes = encodeCanonical(value);
        expect(encodeCanonical(decodeCanonical(bytes))).toEqual(bytes);
      }),
    );
  });
  it("never throws anything but its own error on arbitrary bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const code = codeOf(() => decodeCanonical(bytes));
        expect(code === undefined || code === "kernel/invalid-input").toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
  it.each([
    ["a float", 1.5],
    ["an unsafe integer", 2 ** 53],
    ["minus zero", -0],
    ["a lone surrogate", "\ud800"],
    ["text that is not NFC", "e\u0301"],
    ["a class instance", new Date() as never],
    ["undefined", undefined as never],
  ])("refuses %s", (_name, value: Canonical) => {
    expect(codeOf(() => encodeCanonical({ value }))).toBe("kernel/invalid-input");
  });
  it.each([
    ["unsorted keys", "a2616201616101"],
    ["a short float", "f93c00"],
    ["a long form of a short integer", "1801"],
    ["an indefinite array", "9fff"],
    ["trailing bytes", "0000"],
    ["a duplicate key", "a2616101616102"],
    ["invalid UTF-8", "61ff"],
  ])("refuses %s", (_name, hex) => {
    expect(codeOf(() => decodeCanonical(Buffer.from(hex, "hex")))).toBe("kernel/invalid-input");
  });
  it("refuses hostile nesting without using the stack", () => {
    expect(codeOf(() => decodeCanonical(new Uint8Array(100_000).fill(0x81)))).toBe("kernel/invalid-input");
  });
});

describe("ids", () => {
  it("name a key that can be read back", () => {
    expect(parsePeerId(peerIdFromPublicKey(publicKeyOf(signer.peer)))).toBe(signer.peer);
  });
  it("hold the digest that sha256sum prints", async () => {
    const cid = parseCid(await cidOf(new TextEncoder().encode("hello\n"), "raw"));
    const digest = createHash("sha256").update("hello\n").digest("hex");
    expect(Buffer.from(partsOfCid(cid).sha256).toString("hex")).toBe(digest);
  });
  it.each(["", "k51", "12D3KooW", `k51${"a".repeat(59)}`, 5, null])("refuses %j as a peer", (input) => {
    expect(codeOf(() => parsePeerId(input))).toBe("kernel/invalid-input");
  });
  it("refuses a content id with a wrong last character", async () => {
    const cid = await cidOf(new Uint8Array(), "raw");
    expect(codeOf(() => parseCid(`${cid.slice(0, -1)}7`))).toBe("kernel/invalid-input");
  });
});

describe("signatures", () => {
  it("agree with node:crypto, key and bytes", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const seed = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
    const ours = await (await createSigner(seed)).sign("domain", Buffer.from("text"));
    expect(Buffer.from(ours)).toEqual(sign(null, Buffer.from("domain\0text"), privateKey));
  });
  it("hold in their own domain only", async () => {
    const bytes = new TextEncoder().encode("x");
    const signature = await signer.sign("vote", bytes);
    const claim = { peer: signer.peer, bytes, signature };
    expect(await verifySignature({ ...claim, domain: "vote" })).toBe(true);
    expect(await verifySignature({ ...claim, domain: "record" })).toBe(false);
  });
});

describe("envelopes", () => {
  const draft = { type: "t", cluster: "c", body: { n: 1 } };

  it("arrive as they were sent", async () => {
    const opened = await openEnvelope(
      await sealEnvelope({ ...draft, term: 3, labels: ["model"] }, signer, 5),
      "c",
    );
    expect(opened).toMatchObject({ from: signer.peer, ts: 5, term: 3, labels: ["model"], body: { n: 1 } });
  });
  it("are refused when any byte is flipped", async () => {
    const bytes = await sealEnvelope(draft, signer, 5);
    for (let i = 0; i < bytes.length; i++) {
      const flipped = bytes.slice();
      flipped[i] = (flipped[i] ?? 0) ^ 1;
      await expect(openEnvelope(flipped, "c")).rejects.toMatchObject({ code: "kernel/bad-envelope" });
    }
  });
  it("are refused in another mesh, and when their body is over 64 KiB", async () => {
    const bytes = await sealEnvelope(draft, signer, 5);
    await expect(openEnvelope(bytes, "other")).rejects.toMatchObject({ code: "kernel/bad-envelope" });
    const large = { ...draft, body: new Uint8Array(65_536) };
    await expect(sealEnvelope(large, signer, 5)).rejects.toMatchObject({ code: "kernel/invalid-input" });
  });
});
