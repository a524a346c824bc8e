import { alphabetBit, isIn } from "./alphabet.ts";
import type { Detector, View } from "./detector.ts";
import { isUcxlAddress } from "./public-form.ts";
import { tagEnd } from "./tag.ts";

const ANCHOR = "://";
const SCHEME_MAX = 24;
const AUTHORITY_MAX = 2048;
/** Where an authority ends (RFC 3986, section 3.2), and what surrounds a URL in text. */
const TERMINATORS = "/?#\"'`<>\\";

const scheme = alphabetBit("scheme");

/** The password of `scheme://user:password@host`; scheme, user and host stay readable. */
export const urlDetector: Detector = {
  rule: "url-password",
  kind: "password in a URL",
  layer: "url",
  confidence: "strong",
  anchors: [ANCHOR],
  behind: 0,
  verify(view, anchorStart, anchorEnd) {
    const parts = readAuthority(view, anchorEnd);
    if (parts === undefined || parts === "more") return parts;
    const { text } = view;
    const { colon, at, end } = parts;
    if (at + 1 >= end || isPlaceholder(text.slice(colon + 1, at))) return undefined;
    if (isUcxlAddress(text.slice(schemeStart(text, anchorStart), end))) return undefined;
    return { start: colon + 1, end: at };
  },
};

function schemeStart(text: string, end: number): number {
  let start = end;
  while (start > 0 && end - start < SCHEME_MAX && isIn(scheme, text.charCodeAt(start - 1))) start -= 1;
  return start;
}

interface Authority {
  /** The first colon, and the last `@` after it. */
  readonly colon: number;
  readonly at: number;
  readonly end: number;
}

/** Passes over tags as one piece each, because a tag holds a colon and may stand in the place of user or password. */
function readAuthority(view: View, from: number): Authority | "more" | undefined {
  const { text } = view;
  const limit = from + AUTHORITY_MAX;
  let colon = -1;
  let at = -1;
  let i = from;
  for (; i < limit && !isTerminator(text.charAt(i)); i++) {
    const character = text.charAt(i);
    if (character === "[") i = Math.max(i, tagEnd(text, i) - 1);
    else if (character === "@") at = i;
    else if (character === ":" && colon === -1) colon = i;
  }
  if (i >= text.length && i < limit && !view.ended) return "more";
  return colon === -1 || at < colon ? undefined : { colon, at, end: i };
}

/** The end of the text, which is the empty string here, terminates too. */
function isTerminator(character: string): boolean {
  return character <= " " || TERMINATORS.includes(character);
}

const WORDS = new Set([
  "password",
  "passwd",
  "pass",
  "pwd",
  "secret",
  "token",
  "changeme",
  "example",
  "user",
]);

/**
 * Tags with nothing but `@` between them: what was secret is hidden already, and a tag has taken the place of the
 * character that ended the authority. With any other text beside it a tag hides nothing: a stranger may have written it.
 */
function isHidden(password: string): boolean {
  let i = 0;
  while (i < password.length) {
    const end = password.startsWith("@", i) ? i + 1 : tagEnd(password, i);
    if (end === i) return false;
    i = end;
  }
  return true;
}

/** What documentation writes where a password would stand, and passwords that are hidden already. */
function isPlaceholder(password: string): boolean {
  if (password === "" || WORDS.has(password.toLowerCase())) return true;
  if (isHidden(password)) return true;
  if (/^(?:x+|X+|\*+|\.+)$/.test(password)) return true;
  const isWrapped = (open: string, close: string): boolean =>
    password.startsWith(open) && password.endsWith(close);
  return (
    isWrapped("${", "}") ||
    isWrapped("{", "}") ||
    isWrapped("$(", ")") ||
    /^\$[A-Z_][A-Z0-9_]*$|^%[a-z]$/.test(password)
  );
}
