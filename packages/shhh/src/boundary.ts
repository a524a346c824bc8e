import { alphabetBit, isIn } from "./alphabet.ts";
import type { View } from "./detector.ts";

const COLOUR_MAX = 8;

const base62 = alphabetBit("base62");
const digit = alphabetBit("digit");
const hex = alphabetBit("hex-any");
const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const SEMICOLON = 0x3b;
const ESCAPE = 0x1b;
const BRACKET = 0x5b;

/**
 * True when a token may begin at `start`: no letter or digit stands directly before it, unless that belongs to
 * an escape (`\n` in JSON, `%3D` in a URL, a terminal colour) or to a secret that is hidden already.
 */
export function standsApart(view: View, start: number): boolean {
  const { text } = view;
  const before = text.charCodeAt(start - 1);
  if (!isIn(base62, before) || view.matchedTo === start) return true;
  const second = text.charCodeAt(start - 2);
  if (second === BACKSLASH) return true;
  if (text.charCodeAt(start - 3) === PERCENT) return isIn(hex, before) && isIn(hex, second);
  return text[start - 1] === "m" && endsColour(text, start - 2);
}

/** `ESC [ 1 ; 31` up to here; the `m` has been seen. */
function endsColour(text: string, last: number): boolean {
  let at = last;
  const first = last - COLOUR_MAX;
  while (at > first && (isIn(digit, text.charCodeAt(at)) || text.charCodeAt(at) === SEMICOLON)) at -= 1;
  return text.charCodeAt(at) === BRACKET && text.charCodeAt(at - 1) === ESCAPE;
}
