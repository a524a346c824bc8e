import { createHash } from "node:crypto";
import { InvalidInputError, type PeerId, publicKeyOf, type Signer, verifySignature } from "@chorus/kernel";
import type { Checkpoint } from "./contract.ts";
import { EventLogError } from "./errors.ts";

/** A note's text separates itself from all else that the key signs, and outside tools know of no prefix. */
const DOMAIN = "";
/** Signature type of C2SP signed-note: plain Ed25519 over the text. */
const ED25519_TYPE = 0x01;
const KEY_ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** Room for 16 signatures of 5 kB, the least that C2SP signed-note has verifiers take. */
const MAX_NOTE_CHARS = 131_072;

/** Printable ASCII without space and `+`, as C2SP signed-note has it for key names. */
export function parseOrigin(origin: string): string {
  if (!/^[\x21-\x2a\x2c-\x7e]{1,128}$/.test(origin))
    throw new InvalidInputError("origin", "must be 1–128 printable ASCII characters without spaces or +");
  return origin;
}

export async function signCheckpoint(
  signer: Signer,
  head: { readonly origin: string; readonly size: number; readonly root: Uint8Array },
): Promise<Checkpoint> {
  const text = noteText(head);
  const signature = await signer.sign(DOMAIN, new TextEncoder().encode(text));
  return { ...head, note: text + signatureLine(head.origin, signer.peer, signature) };
}

/**
 * Reads a checkpoint and checks that the log `origin` of `peer` signed it. Signatures of others, such as
 * witnesses, are passed over and left out of the returned note.
 * @throws EventLogError `event-log/bad-checkpoint`
 */
export async function openCheckpoint(
  note: string,
  log: { readonly origin: string; readonly peer: PeerId },
): Promise<Checkpoint> {
  const { head, text, signatures } = parseNote(note);
  if (head.origin !== log.origin) throw bad("it is another log's");
  const signature = findSignature(signatures, log);
  if (signature === undefined) throw bad("the log did not sign it");
  const bytes = new TextEncoder().encode(text);
  if (!(await verifySignature({ peer: log.peer, domain: DOMAIN, bytes, signature })))
    throw bad("its signature does not hold");
  return { ...head, note: text + signatureLine(head.origin, log.peer, signature) };
}

const NOTE = /^(([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n)\n((?:\u2014 [^\n]+\n)+)$/;

function parseNote(note: string): { head: Omit<Checkpoint, "note">; text: string; signatures: string[] } {
  if (note.length > MAX_NOTE_CHARS) throw bad("it is too long");
  const parsed = NOTE.exec(note);
  if (parsed === null) throw bad("it is not a signed checkpoint");
  const [, text = "", origin = "", size, root = "", signatures = ""] = parsed;
  const head = { origin, size: Number(size), root: new Uint8Array(Buffer.from(root, "base64")) };
  if (!Number.isSafeInteger(head.size) || noteText(head) !== text) throw bad("it is not in canonical form");
  return { head, text, signatures: signatures.trimEnd().split("\n") };
}

function bad(problem: string): EventLogError {
  return new EventLogError("bad-checkpoint", { detail: { problem } });
}

function findSignature(
  lines: readonly string[],
  { origin, peer }: { readonly origin: string; readonly peer: PeerId },
): Uint8Array | undefined {
  const id = keyId(origin, peer);
  for (const line of lines) {
    const [, name, value = ""] = line.split(" ");
    const bytes = Buffer.from(value, "base64");
    const isOurs = name === origin && bytes.subarray(0, KEY_ID_BYTES).equals(id);
    if (isOurs && bytes.length === KEY_ID_BYTES + SIGNATURE_BYTES && bytes.toString("base64") === value)
      return new Uint8Array(bytes.subarray(KEY_ID_BYTES));
  }
  return undefined;
}

/** The three lines of C2SP tlog-checkpoint; extension lines are never signed. */
function noteText({ origin, size, root }: { origin: string; size: number; root: Uint8Array }): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
}

function signatureLine(origin: string, peer: PeerId, signature: Uint8Array): string {
  const value = Buffer.concat([keyId(origin, peer), signature]).toString("base64");
  return `\n\u2014 ${origin} ${value}\n`;
}

/** C2SP signed-note: `SHA-256(name ‖ 0x0A ‖ type ‖ key)[:4]`, the name being the origin. */
function keyId(origin: string, peer: PeerId): Buffer {
  return createHash("sha256")
    .update(`${origin}\n`)
    .update(Uint8Array.of(ED25519_TYPE))
    .update(publicKeyOf(peer))
    .digest()
    .subarray(0, KEY_ID_BYTES);
}
