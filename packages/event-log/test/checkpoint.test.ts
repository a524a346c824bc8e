import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { createSigner, publicKeyOf } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { signCheckpoint } from "../src/checkpoint.ts";
import { openCheckpoint } from "../src/index.ts";
import { origin, outcome, signer } from "./fixtures/setup.ts";

const stranger = await createSigner(new Uint8Array(32).fill(22));
const root = new Uint8Array(32).fill(7);
const log = { origin, peer: signer.peer };
const { note } = await signCheckpoint(signer, { origin, size: 42, root });
const [text = "", signatureLine = ""] = note.split("\n\n");

/**
 * C2SP signed-note by its text alone, sharing nothing with the package.
 * @param verifierKey `name+id+base64(type ‖ public key)`
 * @returns the text, if that key signed it
 */
function openNote(signed: string, verifierKey: string): string | undefined {
  const [name, id = "", ...material] = verifierKey.split("+");
  const [type, ...publicKey] = Buffer.from(material.join("+"), "base64");
  expect(type).toBe(1);
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(publicKey)]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  const blank = signed.lastIndexOf("\n\n");
  const signedText = signed.slice(0, blank + 1);
  const lines = signed
    .slice(blank + 2)
    .trimEnd()
    .split("\n");
  for (const line of lines) {
    const [dash, signerName, value = ""] = line.split(" ");
    const bytes = Buffer.from(value, "base64");
    const isKnown = dash === "\u2014" && signerName === name && bytes.toString("hex", 0, 4) === id;
    if (isKnown && verify(null, Buffer.from(signedText), key, bytes.subarray(4))) return signedText;
  }
  return undefined;
}

describe("the note verifier of these tests", () => {
  it("accepts the published example of C2SP signed-note, and nothing else in its place", () => {
    const key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const value =
      "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";
    const example = `This is an example message.\n\n\u2014 example.com/foo ${value}\n`;
    expect(openNote(example, key)).toBe("This is an example message.\n");
    expect(openNote(example.replace("This", "that"), key)).toBeUndefined();
  });
});

describe("a checkpoint", () => {
  it("has the text of a C2SP tlog-checkpoint and one C2SP signature line", () => {
    expect(text).toBe(`${origin}\n42\n${Buffer.from(root).toString("base64")}`);
    expect(signatureLine).toMatch(/^\u2014 test\.example\/log [A-Za-z0-9+/]{91}=\n$/);
  });
  it("is accepted by a note verifier that has the log's verifier key alone", () => {
    const publicKey = publicKeyOf(signer.peer);
    const named = Buffer.concat([Buffer.from(`${origin}\n`), Uint8Array.of(1), publicKey]);
    const id = createHash("sha256").update(named).digest("hex").slice(0, 8);
    const key = `${origin}+${id}+${Buffer.from([1, ...publicKey]).toString("base64")}`;
    expect(openNote(note, key)).toBe(`${text}\n`);
    expect(openNote(note.replace("42", "43"), key)).toBeUndefined();
    expect(openNote(note, key.replace("log", "other"))).toBeUndefined();
  });
  it("is opened when that verifier's owner signed it by its own means", async () => {
    const der = Buffer.from(`302e020100300506032b657004220420${"15".repeat(32)}`, "hex");
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const id = Buffer.from(signatureLine.split(" ")[2] ?? "", "base64").subarray(0, 4);
    const value = Buffer.concat([id, sign(null, Buffer.from(`${text}\n`), key)]).toString("base64");
    expect((await openCheckpoint(`${text}\n\n\u2014 ${origin} ${value}\n`, log)).note).toBe(note);
  });
  it("opens to what was signed", async () => {
    expect(await openCheckpoint(note, log)).toEqual({ origin, size: 42, root, note });
  });
  it("opens with signatures of witnesses around, and leaves them out", async () => {
    const witnessed = `${text}\n\n\u2014 witness.example/w AAAAAAAA\n${signatureLine}\u2014 other/w x\n`;
    expect((await openCheckpoint(witnessed, log)).note).toBe(note);
    const large = `\u2014 witness.example/w ${Buffer.alloc(5000).toString("base64")}\n`.repeat(15);
    expect((await openCheckpoint(note + large, log)).note).toBe(note);
  });
  it.each([
    ["another size", note.replace("42", "43")],
    ["a size with a leading zero", note.replace("42", "042")],
    ["a size past what numbers hold", note.replace("42", "9999999999999999")],
    ["an extension line", note.replace("\n\n", "\nextension\n\n")],
    ["no signature", `${text}\n\n`],
    ["no blank line", note.replace("\n\n", "\n")],
    ["a line too many", `${note}\n`],
    ["a flipped signature", note.replace(/.{4}=\n$/, "AAA=\n")],
    ["a signature in other base64", note.replace("=\n", "\n")],
    ["a root in other base64", note.replace("Bwc=\n", "Bwd=\n")],
    ["a carriage return", note.replace("\n", "\r\n")],
    ["a megabyte of signatures", note + "\u2014 w x\n".repeat(150_000)],
    ["nothing", ""],
  ])("is refused with %s", async (_, changed) => {
    expect(changed).not.toBe(note);
    expect(await outcome(openCheckpoint(changed, log))).toBe("event-log/bad-checkpoint");
  });
  it("is refused as another log's or another signer's", async () => {
    expect(await outcome(openCheckpoint(note, { ...log, origin: "other" }))).toBe("event-log/bad-checkpoint");
    expect(await outcome(openCheckpoint(note, { ...log, peer: stranger.peer }))).toBe(
      "event-log/bad-checkpoint",
    );
  });
});
