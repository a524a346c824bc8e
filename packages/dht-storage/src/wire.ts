import { decodeCanonical, encodeCanonical, parseCid, type Cid } from "@chorus/kernel";
import { MAX_SINGLE_BYTES } from "./blob-envelope.ts";
import { RefusedError } from "./errors.ts";
import { bytesField, bytesListField, fieldsOf, textField } from "./shape.ts";

export const PROTOCOL = "/chorus/blob/1.0.0";
/** Largest frame: eight envelopes of 48 KiB, or one block. */
export const MAX_FRAME_BYTES = 1_572_864;
const MAX_CONTROL_BYTES = 524_288;
const MAX_HASHES = 1350;
/** Starts a block frame; no DAG-CBOR map starts with it, and a block needs no decoding. */
const BLOCK_MARK = 0x00;

/** Why a peer did not take something. */
export type RefusalCode = "full" | "refused" | "older" | "contradiction" | "foreign";

/** One frame of the conversation. See DESIGN.md for who says what when. */
export type Message =
  | { readonly t: "have"; readonly addr: Cid }
  | { readonly t: "held"; readonly envelopes: readonly Uint8Array[] }
  | { readonly t: "want"; readonly hashes: readonly Uint8Array[] }
  | { readonly t: "gone" }
  | { readonly t: "put"; readonly envelope: Uint8Array }
  | { readonly t: "need"; readonly hashes: readonly Uint8Array[] }
  | { readonly t: "head"; readonly lane: string }
  | { readonly t: "heads"; readonly heads: readonly Uint8Array[] }
  | { readonly t: "put-head"; readonly head: Uint8Array }
  | { readonly t: "ack" }
  | { readonly t: "refused"; readonly code: RefusalCode; readonly heads: readonly Uint8Array[] };

/** A message, or the bytes of a block. */
export type Frame = Message | Uint8Array;

export function encodeFrame(frame: Frame): Uint8Array {
  if (!(frame instanceof Uint8Array)) return encodeCanonical(frame);
  const bytes = new Uint8Array(frame.length + 1);
  bytes[0] = BLOCK_MARK;
  bytes.set(frame, 1);
  return bytes;
}

/** @throws RefusedError */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes[0] === BLOCK_MARK) {
    if (bytes.length > MAX_SINGLE_BYTES + 1) throw new RefusedError("the block is too large");
    return bytes.subarray(1);
  }
  try {
    return parseMessage(bytes);
  } catch (error) {
    throw new RefusedError(error instanceof Error ? error.message : "unreadable message", error);
  }
}

const FIELDS: Readonly<Record<Message["t"], readonly string[]>> = {
  have: ["addr"],
  held: ["envelopes"],
  want: ["hashes"],
  gone: [],
  put: ["envelope"],
  need: ["hashes"],
  head: ["lane"],
  heads: ["heads"],
  "put-head": ["head"],
  ack: [],
  refused: ["code", "heads"],
};

function parseMessage(bytes: Uint8Array): Message {
  const value = decodeCanonical(bytes, { maxBytes: MAX_CONTROL_BYTES, maxDepth: 3 });
  const t = kindOf(value);
  const map = fieldsOf(value, ["t", ...FIELDS[t]]);
  switch (t) {
    case "have":
      return { t, addr: parseCid(map["addr"], "addr") };
    case "held":
      return { t, envelopes: bytesListField(map, "envelopes", { items: 8 }) };
    case "want":
    case "need":
      return { t, hashes: bytesListField(map, "hashes", { items: MAX_HASHES, length: 32 }) };
    case "put":
      return { t, envelope: bytesField(map, "envelope") };
    case "head":
      return { t, lane: textField(map, "lane", 256) };
    case "heads":
      return { t, heads: bytesListField(map, "heads", { items: 2 }) };
    case "put-head":
      return { t, head: bytesField(map, "head") };
    case "gone":
    case "ack":
      return { t };
    case "refused":
      return { t, code: parseCode(map["code"]), heads: bytesListField(map, "heads", { items: 2 }) };
  }
}

function kindOf(value: unknown): Message["t"] {
  const kind = value !== null && typeof value === "object" && "t" in value ? value.t : undefined;
  if (typeof kind !== "string" || !isKind(kind)) throw new RefusedError("the message is of no known kind");
  return kind;
}

function isKind(kind: string): kind is Message["t"] {
  return Object.hasOwn(FIELDS, kind);
}

function parseCode(value: unknown): RefusalCode {
  switch (value) {
    case "full":
    case "older":
    case "contradiction":
    case "foreign":
      return value;
    default:
      return "refused";
  }
}
