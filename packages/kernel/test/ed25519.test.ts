import nodeCrypto from "node:crypto";
import { describe, expect, test } from "vitest";
import { implementations } from "../src/ed25519.ts";
import { remembered } from "../src/remembered.ts";

/** Seed, public key, message and signature of RFC 8032, section 7.1, TEST 3. */
const vector = {
  seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
  publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
  message: "af82",
  signature:
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
};
const bytes = (hex: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(hex, "hex"));
const pkcs8 = bytes(`302e020100300506032b657004220420${vector.seed}`);

describe.each([
  ["OpenSSL", implementations.native(nodeCrypto)],
  ["Web Crypto", implementations.web(globalThis.crypto)],
])("Ed25519 by %s", (_name, ed25519) => {
  test("gives the key and the signature of RFC 8032", async () => {
    const { publicKey, sign } = await ed25519.signer(pkcs8.slice());
    expect(Buffer.from(publicKey).toString("hex")).toBe(vector.publicKey);
    expect(Buffer.from(await sign(bytes(vector.message))).toString("hex")).toBe(vector.signature);
  });

  test("accepts that signature and none with another bit", async () => {
    const { publicKey, message, signature } = vector;
    expect(await ed25519.verify(bytes(publicKey), bytes(message), bytes(signature))).toBe(true);
    for (const at of [0, 31, 32, 63]) {
      const other = bytes(signature);
      other[at] = (other[at] ?? 0) ^ 1;
      expect(await ed25519.verify(bytes(publicKey), bytes(message), other)).toBe(false);
    }
  });

  test("signs with the key that it was given, though the caller overwrites its bytes", async () => {
    const own = pkcs8.slice();
    const { sign } = await ed25519.signer(own);
    own.fill(0);
    expect(Buffer.from(await sign(bytes(vector.message))).toString("hex")).toBe(vector.signature);
  });
});

test("what is remembered is made once, the oldest is forgotten, failures are tried again", () => {
  const made: string[] = [];
  const make = remembered((text) => {
    made.push(text);
    if (text === "bad") throw new RangeError("bad");
    return text.toUpperCase();
  }, 2);
  expect(["a", "a", "b", "c", "b", "a"].map((text) => make(text))).toEqual(["A", "A", "B", "C", "B", "A"]);
  expect(made).toEqual(["a", "b", "c", "a"]);
  expect(() => make("bad")).toThrow("bad");
  expect(() => make("bad")).toThrow("bad");
  expect(made).toHaveLength(6);
});
