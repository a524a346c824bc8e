import { type Cid, parseCid } from "@chorus/kernel";
import { base32 } from "multiformats/bases/base32";
import { CID } from "multiformats/cid";
import type { AddressFault, Time } from "./contract.ts";
import { UcxlError } from "./errors.ts";

/** One text between slashes, and where it stands in what the caller gave. */
export interface Part {
  readonly text: string;
  readonly at: number;
  /** False when `text` was rewritten, so that only the part as a whole can be pointed at. */
  readonly exact: boolean;
}

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,46}[a-z0-9])?$/;
const PEER = /^k51[a-z0-9]{59}$/;
const CID_SHAPE = /^b[a-z2-7]{58}$/;
const SEQUENCE = /^@v([1-9][0-9]{0,14})$/;
const BACK = /^@latest~([1-9][0-9]{0,8})$/;
const INSTANT = /^@t([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z$/;
/** What may stand bare in a segment: RFC 3986 `pchar` without `*`, which is the wildcard. */
const BARE = /[A-Za-z0-9\-._~!$&'()+,;=:@]/;
const SEGMENT_START = /^(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-F]{2})*/;
/** Control characters (U+0000–1F, 7F–9F), `/` and `\`, percent-encoded. */
const FORBIDDEN = /%(?:[01][0-9A-F]|7F|2F|5C|C2%[89][0-9A-F])/;
const MAX_SEGMENT_OCTETS = 255;

/** A name cannot be this long, a content id cannot be shorter; so the two are never confused. */
export const MIN_CID_LIKE = 58;

/** Points at a part, or at `offset` inside it. */
export function refuse(fault: AddressFault, part: Part, offset = 0): never {
  throw new UcxlError(fault, part.at + (part.exact ? offset : 0));
}

export function isName(text: string): boolean {
  return NAME.test(text);
}

export function readProject(part: Part): string {
  return isName(part.text) ? part.text : refuse("name", part);
}

/** A name or `*`. */
export function readElement(part: Part): string {
  if (part.text === "") refuse("empty-segment", part);
  return part.text === "*" || isName(part.text) ? part.text : refuse("name", part);
}

/** A name, a peer id or `*`. */
export function readAgent(part: Part): string {
  return PEER.test(part.text) ? part.text : readElement(part);
}

export function readCid(part: Part): Cid {
  if (!CID_SHAPE.test(part.text)) refuse("cid-syntax", part);
  try {
    return parseCid(part.text);
  } catch {
    return refuse(isSomeCid(part.text) ? "cid-type" : "cid-syntax", part);
  }
}

/** True for a content id of any kind in its only base32 form. */
function isSomeCid(text: string): boolean {
  try {
    return CID.parse(text, base32).toString(base32) === text;
  } catch {
    return false;
  }
}

export function readTime(part: Part): Time {
  const { text } = part;
  if (text === "@latest") return { kind: "latest", back: 0 };
  if (text === "@first") return { kind: "first" };
  const back = BACK.exec(text)?.[1];
  if (back !== undefined) return { kind: "latest", back: Number(back) };
  const seq = SEQUENCE.exec(text)?.[1];
  if (seq !== undefined) return { kind: "version", seq: Number(seq) };
  const instant = INSTANT.exec(text);
  if (instant !== null) return { kind: "instant", atMs: readInstant(part, instant) };
  if (text.startsWith("@b"))
    return { kind: "cid", cid: readCid({ text: text.slice(1), at: part.at + 1, exact: part.exact }) };
  return refuse("temporal", part);
}

/** `Date` rolls 30 February over to March, so the instant has to come back as it went in. */
function readInstant(part: Part, [, ...digits]: readonly string[]): number {
  const [year, month, day, hour, minute, second] = digits;
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(atMs) || instantText(atMs) !== part.text) refuse("temporal-instant", part);
  return atMs;
}

function instantText(atMs: number): string {
  return `@t${new Date(atMs).toISOString().replaceAll(/[-:]|\.000/g, "")}`;
}

const LAST_INSTANT_MS = Date.UTC(10_000, 0, 1) - 1;
const FIRST_INSTANT_MS = Date.parse("0000-01-01T00:00:00Z");

/** The text of a time; one that has none gives a text that {@link readTime} refuses. */
export function timeText(time: Time): string {
  if (time.kind === "latest") return time.back === 0 ? "@latest" : `@latest~${time.back}`;
  if (time.kind === "first") return "@first";
  if (time.kind === "version") return `@v${time.seq}`;
  if (time.kind === "cid") return `@${time.cid}`;
  return time.atMs >= FIRST_INSTANT_MS && time.atMs <= LAST_INSTANT_MS ? instantText(time.atMs) : "@t";
}

/** @returns the decoded segment */
export function readSegment(part: Part): string {
  const { text } = part;
  if (text === "") refuse("empty-segment", part);
  const readable = SEGMENT_START.exec(text)?.[0].length ?? 0;
  if (readable < text.length) refuse("segment-char", part, readable);
  const decoded = decodePercent(part);
  if (decoded === "." || decoded === "..") refuse("dot-segment", part);
  const forbidden = text.search(FORBIDDEN);
  if (forbidden !== -1) refuse("segment-char", part, forbidden);
  if (decoded.normalize("NFC") !== decoded) refuse("not-nfc", part);
  const needless = needlessEscape(text);
  if (needless !== undefined) refuse("segment-char", part, needless);
  if (new TextEncoder().encode(decoded).length > MAX_SEGMENT_OCTETS) refuse("segment-long", part);
  return decoded;
}

/** Where a character is percent-encoded that has to stand bare: one text for one address. */
function needlessEscape(text: string): number | undefined {
  for (const escape of text.matchAll(/%([0-7][0-9A-F])/g))
    if (BARE.test(String.fromCharCode(Number.parseInt(escape[1] ?? "", 16)))) return escape.index;
  return undefined;
}

export function decodePercent(part: Part): string {
  try {
    return decodeURIComponent(part.text);
  } catch {
    return refuse("utf8", part);
  }
}

/** Encodes well-formed text the one canonical way. */
export function encodeSegment(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/%(?:24|26|2B|2C|3B|3D|3A|40)/g, decodeURIComponent)
    .replaceAll("*", "%2A");
}
