import { createHash, createPublicKey, verify } from "node:crypto";
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

describe("a checkpoint", () => {
  it("has the text of a C2SP tlog-checkpoint and one C2SP signature line", () => {
    expect(text).toBe(`${origin}\n42\n${Buffer.from(root).toString("base64")}`);
    expect(signatureLine).toMatch(/^\u2014 test\.example\/log [A-Za-z0-9+/]{91}=\n$/);
  });
  it("is signed over its documented bytes, under the documented key id", () => {
    const value = Buffer.from(signatureLine.trim().split(" ")[2]!, "base64");
    const raw = publicKeyOf(signer.peer);
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(raw).toString("base64url") },
      format: "jwk",
    });
    const message = Buffer.from(`chorus/checkpoint/1\0${text}\n`);
    expect(verify(null, message, key, value.subarray(4))).toBe(true);
    const keyData = Buffer.concat([Buffer.from(`${origin}\n\xffchorus/checkpoint/1`, "latin1"), raw]);
    expect(value.subarray(0, 4)).toEqual(createHash("sha256").update(keyData).digest().subarray(0, 4));
  });
  it("opens to what was signed", async () => {
    expect(await openCheckpoint(note, log)).toEqual({ origin, size: 42, root, note });
  });
  it("opens with signatures of witnesses around, and leaves them out", async () => {
    const witnessed = `${text}\n\n\u2014 witness.example/w AAAAAAAA\n${signatureLine}\u2014 other/w x\n`;
    expect((await openCheckpoint(witnessed, log)).note).toBe(note);
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
