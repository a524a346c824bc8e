import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { samplePrivateKey, sampleSecrets } from "../src/testing/index.ts";
import type { Sentinel } from "../src/contract.ts";
import { plainTags, setup, utf8 } from "./setup.ts";

const known = "correct horse battery stäple";
const sentinel = setup({ known: [{ value: known, label: "k" }] });
const HOLD = 16_384;

function run(pieces: readonly Uint8Array[], by: Sentinel = sentinel): { text: string; findings: unknown } {
  const stream = by.stream();
  const out = [...pieces.map((piece) => stream.push(piece)), stream.end()];
  return { text: utf8(Buffer.concat(out)), findings: stream.findings };
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, i) => bytes.subarray(places[i], place));
}

const secrets = sampleSecrets(4).map(({ text }) => text);
const jwt = ["eyJhbGciOiJub25lIn0", "eyJzdWIiOiJhYmNkZWZnIn0", "c2lnbmF0dXJl"].join(".");
const pieces = fc.oneof(
  fc.constantFrom(...secrets, jwt, known, Buffer.from(known).toString("base64"), JSON.stringify(known)),
  fc.constantFrom(samplePrivateKey(), JSON.stringify(samplePrivateKey()), samplePrivateKey().slice(0, 300)),
  fc.constantFrom(
    "https://u:pw1@h/",
    "postgres://${A}:b@c",
    "://",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----\n",
    "eyJ",
    "ghp_",
    ":AA",
    "-us1",
    "[shhh:",
  ),
  fc.constantFrom(
    "a".repeat(40),
    "Zz09".repeat(20),
    "0123456789abcdef".repeat(2),
    "日本語",
    "\u001b[31m",
    "\\n",
    "%20",
  ),
  fc.string({ maxLength: 20 }),
);
const separators = fc.constantFrom(" ", "\n", "", '"', "=", "-", "_", ".", "/", "\\n");
const texts = fc
  .array(fc.tuple(pieces, separators), { minLength: 1, maxLength: 12 })
  .map((list) => list.flat().join(""));

describe("streams", () => {
  it("give the same bytes and findings however they are cut, equal to the whole", () => {
    const property = fc.property(texts, fc.array(fc.nat(), { maxLength: 40 }), (text, places) => {
      const bytes = new Uint8Array(Buffer.from(text));
      const whole = run([bytes]);
      expect(run(cut(bytes, places))).toEqual(whole);
      expect(whole.findings).toEqual(sentinel.scanBytes(bytes));
      expect(whole.text).toBe(sentinel.redact(utf8(bytes)).text);
    });
    fc.assert(property, { numRuns: process.env["SLOW"] === undefined ? 400 : 20_000 });
  });

  it("give the same bytes when every byte comes alone", () => {
    const escaped = ["\u001b[1;31m", "%3D", "\\n", " \u001b[0m"].map((before) => before + secrets[0]!);
    const urls = ["postgres://a:bcd@e", "a ucxl://agent:role@project:task/"];
    const text = [...secrets, known, jwt, samplePrivateKey(), ...escaped, ...urls].join("\n");
    const bytes = Buffer.from(text);
    expect(run(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(run([bytes]));
  });

  it("give the same bytes for each sample cut at every place", () => {
    for (const secret of secrets) {
      const bytes = Buffer.from(`a ${secret.slice(0, 300)}\nb`);
      const whole = run([bytes]);
      for (let place = 0; place <= bytes.length; place++) expect(run(cut(bytes, [place]))).toEqual(whole);
    }
  });

  it("let ordinary text through at once", () => {
    const stream = sentinel.stream();
    for (const line of ["compiling 3 files\n", "ok: /src/index.ts, 12 passed\n", "Continue? [y/n] "])
      expect(utf8(stream.push(Buffer.from(line)))).toBe(line);
  });

  it("hold back from the earliest open candidate only", () => {
    const stream = sentinel.stream();
    const [secret = ""] = secrets;
    expect(utf8(stream.push(Buffer.from(`before ${secret.slice(0, 20)}`)))).toBe("before ");
    expect(utf8(stream.push(Buffer.from(secret.slice(20))))).toBe("");
    expect(plainTags(utf8(stream.push(Buffer.from("\n"))))).toBe("<github-pat>\n");
  });

  it("decide at the end what was still open", () => {
    const [secret = ""] = secrets;
    expect(plainTags(run([Buffer.from(secret)]).text)).toBe("<github-pat>");
    expect(run([Buffer.from("-----BEGIN PRIVATE KEY")]).text).toBe("-----BEGIN PRIVATE KEY");
    expect(run([]).text).toBe("");
  });

  it.each([
    ["a token", secrets[0]!.slice(0, 40), "Ab1"],
    ["a web token", jwt, "Ab1"],
    ["a private key", samplePrivateKey().split("\n").slice(0, 3).join("\n"), `\n${"Ab1/".repeat(16)}`],
  ])("never hold more than 16 KiB, and hide %s without end whole", (_, start, more) => {
    // A pypi-like open format: the prefix alone says that it is one.
    const head = start.startsWith("ghp") ? `pypi-AgEIcHlwaS5vcmc${"Ab1".repeat(20)}` : start;
    const text = `x ${head}${more.repeat(60_000 / more.length)} tail\n`;
    const bytes = Buffer.from(text);
    const stream = sentinel.stream();
    let out = "";
    let pushed = 0;
    let most = 0;
    for (let at = 0; at < bytes.length; at += 97) {
      const piece = bytes.subarray(at, at + 97);
      pushed += piece.length;
      out += utf8(stream.push(piece));
      if (out.length < 10) most = Math.max(most, pushed - out.length);
    }
    out += utf8(stream.end());
    expect(most).toBeLessThanOrEqual(HOLD);
    expect(out).toBe(run([bytes]).text);
    expect(out).toBe(sentinel.redact(text).text);
    expect(plainTags(out)).toMatch(/^x <[a-z0-9-]+>\W*(?:tail)?\n?$/);
  });

  it("refuse to go on after their end", () => {
    const stream = sentinel.stream();
    stream.end();
    expect(() => stream.push(new Uint8Array(1))).toThrow("ended");
  });
});
