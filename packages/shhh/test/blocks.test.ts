import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { samplePrivateKey } from "../src/testing/index.ts";
import { plainTags, setup } from "./setup.ts";

const sentinel = setup();
const redact = (text: string): string => plainTags(sentinel.redact(text).text);
const pem = samplePrivateKey();

describe("private key blocks", () => {
  it.each([
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
  ])("hides %s from its first dash to its last", (label) =>
    expect(redact(`a\n${samplePrivateKey(label)}\nb`)).toBe("a\n<private-key>\nb"),
  );

  it.each([
    ["escaped in JSON", JSON.stringify({ key: pem }), '{"key":"<private-key>"}'],
    ["escaped twice", JSON.stringify(JSON.stringify(pem)), '"\\"<private-key>\\""'],
    ["indented", pem.replaceAll("\n", "\n    "), "<private-key>"],
    ["with carriage returns", pem.replaceAll("\n", "\r\n"), "<private-key>"],
    ["on one line", pem.replaceAll("\n", " "), "<private-key>"],
    ["in a diff", pem.replaceAll("\n", "\n+"), "<private-key>"],
    ["as a concatenation", pem.replaceAll("\n", '\\n" +\n  "'), "<private-key>"],
    ["quoted in a mail", pem.replaceAll("\n", "\n> "), "<private-key>"],
  ])("hides one that is %s", (_, text, expected) => expect(redact(text)).toBe(expected));

  it("hides one that is cut off up to the end of its base64, and nothing behind it", () => {
    const cut = pem.slice(0, 400);
    expect(redact(cut)).toBe("<private-key>");
    expect(redact(`${cut}\n[2026-01-01] the next log line`)).toBe(
      "<private-key>\n[2026-01-01] the next log line",
    );
  });

  it("hides headers inside the block", () => {
    const lines = pem.split("\n");
    lines.splice(1, 0, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,0011", "");
    expect(redact(lines.join("\n"))).toBe("<private-key>");
  });

  it("hides real keys of every kind that node writes", () => {
    for (const key of [
      generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
      generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ type: "pkcs1", format: "pem" }),
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "sec1", format: "pem" }),
    ]) {
      expect(createPrivateKey(key)).toBeDefined();
      expect(redact(`${String(key)}end`)).toBe("<private-key>\nend");
    }
  });

  it("hides the private half of a PuTTY key file", () => {
    const lines = pem.split("\n").slice(1, -1).join("\n");
    expect(redact(`Private-Lines: 13\n${lines}\nPrivate-MAC: 00`)).toBe(
      "Private-Lines: <private-key>\nPrivate-MAC: 00",
    );
  });

  it("leaves certificates, public keys, age files and prose alone", () => {
    const innocent = [
      samplePrivateKey("CERTIFICATE"),
      samplePrivateKey("PUBLIC KEY"),
      samplePrivateKey("AGE ENCRYPTED FILE"),
      "the -----BEGIN PRIVATE KEY----- line must come first in the file",
      "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    ];
    for (const text of innocent) expect(redact(text)).toBe(text);
  });
});

describe("web tokens", () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const jws = `${part({ alg: "EdDSA", typ: "JWT" })}.${part({ sub: "someone", iat: 1 })}.${randomBytes(64).toString("base64url")}`;

  it("hides signed, unsigned and encrypted ones whole", () => {
    const jwe = [
      part({ alg: "dir", enc: "A256GCM" }),
      "",
      ...[12, 40, 16].map((n) => randomBytes(n).toString("base64url")),
    ];
    expect(redact(`Bearer ${jws}.`)).toBe("Bearer <jwt>.");
    expect(redact(`${part({ alg: "none" })}.${part({ sub: "a" })}.`)).toBe("<jwt>");
    expect(redact(jwe.join("."))).toBe("<jwt>");
  });

  it("leaves other base64 of JSON alone", () => {
    const map = `data:application/json;base64,${part({ version: 3, sources: ["a"] })}`;
    expect(redact(map)).toBe(map);
    expect(redact(`${part({ version: 3 })}.map.js`)).toBe(`${part({ version: 3 })}.map.js`);
  });
});
