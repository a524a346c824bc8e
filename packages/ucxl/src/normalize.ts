import { joinParts, readAddress, refuseSuffix, splitParts } from "./address.ts";
import { UcxlError } from "./errors.ts";
import { decodePercent, encodeSegment, MIN_CID_LIKE, type Part, refuse } from "./part.ts";

/** Input is cut before work is spent on it; percent-decoding shortens, so this exceeds the canonical limit. */
const MAX_INPUT = 8192;
const LANE_NAMES = 4;

/**
 * Makes the canonical address of what a person typed: trims, lowers the case of the scheme and of the first
 * four parts (or of the CID), adds a missing `@latest`, drops one trailing slash, and writes path segments in
 * NFC with the fewest escapes. It never resolves dots or drops empty parts: those are errors.
 * @throws UcxlError; the position counts in the given text
 */
export function normalizeAddress(text: string): string {
  if (text.length > MAX_INPUT) throw new UcxlError("too-long", MAX_INPUT);
  const start = text.length - text.trimStart().length;
  const scheme = /^\s*ucxl:\/\//i.exec(text)?.[0];
  if (scheme === undefined) throw new UcxlError("scheme", start);
  const end = text.trimEnd().length;
  refuseSuffix(text.slice(0, end));
  const parts = splitParts(text.slice(scheme.length, end), scheme.length);
  if (parts.length > 1 && parts.at(-1)?.text === "") parts.pop();
  const canonical = isImmutable(parts) ? immutable(parts) : semantic(parts, end);
  readAddress(canonical);
  return joinParts(canonical);
}

function isImmutable([first]: readonly Part[]): boolean {
  return first !== undefined && first.text.length >= MIN_CID_LIKE;
}

function immutable(parts: readonly Part[]): Part[] {
  return parts.map((part, i) => (i === 0 ? lowerCase(part) : rewriteSegment(part)));
}

function semantic(parts: readonly Part[], end: number): Part[] {
  const names = parts.slice(0, LANE_NAMES).map(lowerCase);
  const [time, ...path] = parts.slice(LANE_NAMES);
  const latest = (at: number): Part => ({ text: "@latest", at, exact: false });
  if (time === undefined) return names.length === LANE_NAMES ? [...names, latest(end)] : names;
  if (time.text === "" || time.text.startsWith("@")) return [...names, time, ...path.map(rewriteSegment)];
  return [...names, latest(time.at), ...[time, ...path].map(rewriteSegment)];
}

/** ASCII only: full case folding would turn the Kelvin sign into the letter k. */
function lowerCase(part: Part): Part {
  return { ...part, text: part.text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase()) };
}

function rewriteSegment(part: Part): Part {
  const broken = part.text.search(/%(?![0-9A-Fa-f]{2})/);
  if (broken !== -1) refuse("segment-char", part, broken);
  if (!part.text.isWellFormed()) refuse("utf8", part);
  const decoded = decodePercent(part);
  if (/[/\\]/.test(decoded)) refuse("segment-char", part);
  const text = encodeSegment(decoded.normalize("NFC"));
  return { text, at: part.at, exact: part.exact && text === part.text };
}
