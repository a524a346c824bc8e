import { createHash, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
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
  publicKeyOf,
  sealEnvelope,
  verifySignature,
} from "../src/index.ts";
import { peerIdFromPublicKey } from "../src/ids.ts";

const signer = await createSigner(new Uint8Array(32).fill(7));
/** Ed25519 by Node's own means over just these bytes, with the key of {@link signer}. */
const plain = (message: Uint8Array): Buffer => {
  const seed = Buffer.from(`302e020100300506032b657004220420${"07".repeat(32)}`, "hex");
  return sign(null, message, createPrivateKey({ key: seed, format: "der", type: "pkcs8" }));
};
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
  it.each([
    ["a NUL", "vote\0"],
    ["a NUL alone", "\0"],
    ["the head of DSSE", "DSSEv1 29 http://example.com/HelloWorld 5 "],
    ["a lone surrogate", "\ud800"],
  ])("are not made and do not hold in a domain with %s", async (_name, domain) => {
    const bytes = Buffer.from("text");
    await expect(signer.sign(domain, bytes)).rejects.toMatchObject({
      code: "kernel/invalid-input",
      detail: { path: "domain" },
    });
    const signature = plain(Buffer.concat([Buffer.from(`${domain}\0`), bytes]));
    expect(await verifySignature({ peer: signer.peer, domain, bytes, signature })).toBe(false);
  });
});

describe("signatures without a domain", () => {
  const domain = "";

  it.each([
    ["DSSE's published example", "DSSEv1 29 http://example.com/HelloWorld 11 hello world"],
    ["DSSE's encoding of a NUL", "DSSEv1 1 t 1 \0"],
    ["a checkpoint", "example.com/log\n0\nq83v\n"],
    ["a checkpoint with an extension line, beyond ASCII", "example.com/l\u00f6g\n0\nq83v\nmore\n"],
  ])("are plain Ed25519 over %s", async (_name, text) => {
    const bytes = Buffer.from(text);
    const signature = await signer.sign(domain, bytes);
    expect(Buffer.from(signature)).toEqual(plain(bytes));
    expect(await verifySignature({ peer: signer.peer, domain, bytes, signature })).toBe(true);
  });
  it.each([
    ["nothing", Buffer.alloc(0)],
    ["part of DSSE's head", Buffer.from("DSSEv1")],
    ["DSSE's head in another case", Buffer.from("dssev1 1 t 1 x")],
    ["DSSE's head after something", Buffer.from(" DSSEv1 1 t 1 x")],
    ["two lines", Buffer.from("example.com/log\n0\n")],
    ["no newline at the end", Buffer.from("example.com/log\n0\nq83v\nmore")],
    ["an empty line", Buffer.from("example.com/log\n0\n\nq83v\n")],
    ["newlines alone", Buffer.from("\n\n\n")],
    ["a NUL", Buffer.from("example.com/log\n0\nq8\x003v\n")],
    ["another control character", Buffer.from("example.com/log\r\n0\r\nq83v\r\n")],
    ["invalid UTF-8", Buffer.from("example.com/\xff\n0\nq83v\n", "latin1")],
    ["the message of another domain", Buffer.from("vote\0example.com/log\n0\nq83v\n")],
  ])("are not made and do not hold over %s", async (_name, bytes) => {
    await expect(signer.sign(domain, bytes)).rejects.toMatchObject({
      code: "kernel/invalid-input",
      detail: { path: "bytes" },
    });
    const signature = plain(bytes);
    expect(await verifySignature({ peer: signer.peer, domain, bytes, signature })).toBe(false);
  });
  it("never hold in a domain, nor the other way round, wherever the message is cut", async () => {
    const pieces = fc.constantFrom("DSSEv1 ", "\0", "a", "\n", "log\n0\nq83v\n", "1 t 1 x", " ");
    const message = fc.array(pieces, { maxLength: 8 }).map((parts) => Buffer.from(parts.join("")));
    await fc.assert(
      fc.asyncProperty(message, async (bytes) => {
        const signature = plain(bytes);
        const claim = { peer: signer.peer, signature };
        const readings = [verifySignature({ ...claim, domain, bytes })];
        for (const [at, byte] of bytes.entries())
          if (byte === 0) {
            const cut = bytes.subarray(0, at).toString();
            readings.push(verifySignature({ ...claim, domain: cut, bytes: bytes.subarray(at + 1) }));
          }
        const held = (await Promise.all(readings)).filter(Boolean);
        expect(held.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
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
  it("whose bytes their sender is known to have signed need no signature of their own, and only they", async () => {
    const bytes = await sealEnvelope(draft, { ...signer, sign: async () => new Uint8Array(64) }, 5);
    expect(await openEnvelope(bytes, "c", { signedBy: signer.peer })).toMatchObject({ from: signer.peer });
    await expect(openEnvelope(bytes, "c")).rejects.toMatchObject({ code: "kernel/bad-envelope" });
    const { peer: signedBy } = await createSigner(new Uint8Array(32).fill(8));
    await expect(openEnvelope(bytes, "c", { signedBy })).rejects.toMatchObject({
      code: "kernel/bad-envelope",
    });
  });
  it("are refused in another mesh, and when their body is over 64 KiB", async () => {
    const bytes = await sealEnvelope(draft, signer, 5);
    await expect(openEnvelope(bytes, "other")).rejects.toMatchObject({ code: "kernel/bad-envelope" });
    const large = { ...draft, body: new Uint8Array(65_536) };
    await expect(sealEnvelope(large, signer, 5)).rejects.toMatchObject({ code: "kernel/invalid-input" });
  });
});
