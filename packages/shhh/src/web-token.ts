import { alphabetBit } from "./alphabet.ts";
import { standsApart } from "./boundary.ts";
import { WINDOW, type Detector, type Verdict, type View } from "./detector.ts";

const HEADER_MIN = 10;
const HEADER_MAX = 4096;
const JWS_PARTS = 3;
const JWE_PARTS = 5;
const DOT = 0x2e;

const base64url = alphabetBit("base64url");
const tail = alphabetBit("unreserved");

/** JSON web tokens, signed (3 parts) or encrypted (5): known by a header that is JSON and names an algorithm. */
export const webTokenDetector: Detector = {
  rule: "jwt",
  kind: "JSON web token",
  layer: "token",
  confidence: "certain",
  anchors: ["eyJ"],
  behind: 0,
  verify(view, anchorStart) {
    if (!standsApart(view, anchorStart)) return undefined;
    const headerEnd = view.run(base64url, anchorStart, anchorStart + HEADER_MAX);
    if (isCut(view, headerEnd)) return "more";
    if (headerEnd - anchorStart < HEADER_MIN || view.text.charCodeAt(headerEnd) !== DOT) return undefined;
    if (!namesAlgorithm(view.text.slice(anchorStart, headerEnd))) return undefined;
    return readParts(view, anchorStart, headerEnd);
  },
};

function readParts(view: View, start: number, headerEnd: number): Verdict {
  const limit = start + WINDOW;
  let parts = 1;
  let end = headerEnd;
  while (parts < JWE_PARTS && view.text.charCodeAt(end) === DOT) {
    const next = view.run(base64url, end + 1, limit);
    if (next >= limit) return { start, end: limit, tail };
    if (isCut(view, next)) return "more";
    // A full stop behind a signed token is not the fourth part of an encrypted one.
    if (parts >= JWS_PARTS && next === end + 1) break;
    end = next;
    parts += 1;
  }
  // Two parts are a token that was cut off.
  return parts >= JWS_PARTS || end - headerEnd > HEADER_MIN ? { start, end } : undefined;
}

function isCut(view: View, at: number): boolean {
  return at >= view.text.length && !view.ended;
}

function namesAlgorithm(header: string): boolean {
  const json = Buffer.from(header, "base64url").toString("utf8");
  // A failed parse costs microseconds, and hostile text can make one every few characters.
  if (!json.includes('"alg"')) return false;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && "alg" in value;
  } catch {
    return false;
  }
}
