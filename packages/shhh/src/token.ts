import { alphabetBit, charactersOf, isIn, type AlphabetBit } from "./alphabet.ts";
import { standsApart } from "./boundary.ts";
import { endsInItsChecksum } from "./checksum.ts";
import type { Alphabet, TokenRule } from "./contract.ts";
import { WINDOW, type Detector, type Match, type Verdict, type View } from "./detector.ts";
import { RuleError } from "./errors.ts";
import { isPublicForm } from "./public-form.ts";

interface Run {
  readonly bit: AlphabetBit;
  readonly min: number;
  readonly max: number;
}

interface Compiled {
  readonly rule: TokenRule;
  readonly behind: Run | undefined;
  readonly body: readonly (string | Run)[];
  /** Whether a longer run than the format knows means that it is another thing. */
  readonly strict: boolean;
}

const MAX_BEHIND = 64;
const base62 = alphabetBit("base62");

/** Turns a format into a detector. @throws RuleError */
export function tokenDetector(rule: TokenRule): Detector {
  const compiled = compile(rule);
  return {
    rule: rule.id,
    kind: rule.kind,
    layer: "token",
    confidence: rule.confidence ?? "strong",
    anchors: rule.anchors,
    behind: rule.behind?.max ?? 0,
    verify: (view, anchorStart, anchorEnd) => verify(compiled, view, { anchorStart, anchorEnd }),
  };
}

function compile(rule: TokenRule): Compiled {
  const fail = (problem: string): never => {
    throw new RuleError(rule.id, problem);
  };
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(rule.id)) fail("the id must be lower case, digits and dashes");
  if (rule.anchors.length === 0 || rule.anchors.some((anchor) => anchor.length < 2))
    fail("an anchor needs at least 2 characters");
  if (rule.body.length === 0 && rule.behind === undefined) fail("the body is empty");
  const toRun = (part: { readonly of: Alphabet; readonly min: number; readonly max?: number }): Run => {
    const bit = alphabetBit(part.of);
    const max = part.max ?? WINDOW;
    if (bit === 0) fail(`alphabet ${part.of} is unknown`);
    if (!(part.min >= 0 && part.min <= max && max <= WINDOW)) fail("min and max do not fit");
    return { bit, min: part.min, max };
  };
  if ((rule.behind?.max ?? 0) > MAX_BEHIND) fail(`behind reaches over ${MAX_BEHIND} characters`);
  // A stream holds back trailing letters and digits only, so that a prompt appears at once.
  if (rule.behind && /[^A-Za-z0-9]/.test(charactersOf(rule.behind.of)))
    fail("behind must be letters and digits");
  return {
    rule,
    behind: rule.behind && toRun(rule.behind),
    body: rule.body.map((part) => (typeof part === "string" ? part : toRun(part))),
    strict: rule.anchors.some((anchor) => anchor.length < 4 || !/[^A-Za-z0-9]/.test(anchor)),
  };
}

function verify(
  compiled: Compiled,
  view: View,
  { anchorStart, anchorEnd }: { anchorStart: number; anchorEnd: number },
): Verdict {
  const start = tokenStart(compiled, view, anchorStart);
  if (start === undefined) return undefined;
  const body = readBody(compiled, view, anchorEnd);
  if (body === undefined || body === "more") return body;
  return judge(compiled, view.text, { ...body, start, anchorEnd });
}

function tokenStart(compiled: Compiled, view: View, anchorStart: number): number | undefined {
  const { behind, rule } = compiled;
  let start = anchorStart;
  if (behind !== undefined) {
    const least = Math.max(0, anchorStart - behind.max);
    while (start > least && isIn(behind.bit, view.text.charCodeAt(start - 1))) start -= 1;
    if (anchorStart - start < behind.min) return undefined;
  }
  return rule.glued === true || standsApart(view, start) ? start : undefined;
}

interface Body {
  readonly end: number;
  readonly tail?: AlphabetBit;
}

function readBody(compiled: Compiled, view: View, from: number): Body | "more" | undefined {
  const limit = from + WINDOW;
  let at = from;
  let last: Run | undefined;
  for (const part of compiled.body) {
    const end = typeof part === "string" ? readLiteral(view, at, part) : readRun(view, at, part);
    if (end === undefined || end === "more") return end;
    last = typeof part === "string" ? undefined : part;
    if (last !== undefined && end >= limit) return { end: limit, tail: last.bit };
    at = end;
  }
  return readEdge(compiled, view, { at, last, limit });
}

function readLiteral(view: View, at: number, literal: string): number | "more" | undefined {
  const { text } = view;
  const available = Math.min(literal.length, text.length - at);
  for (let i = 0; i < available; i++) if (text.charCodeAt(at + i) !== literal.charCodeAt(i)) return undefined;
  if (available === literal.length) return at + literal.length;
  return view.ended ? undefined : "more";
}

function readRun(view: View, at: number, run: Run): number | "more" | undefined {
  const limit = at + run.max;
  const end = view.run(run.bit, at, limit);
  if (end === view.text.length && end < limit && !view.ended) return "more";
  return end - at < run.min ? undefined : end;
}

/** What follows the format: nothing of its alphabet, or the run is longer than the format knows. */
function readEdge(
  compiled: Compiled,
  view: View,
  { at, last, limit }: { at: number; last: Run | undefined; limit: number },
): Body | "more" | undefined {
  if (at >= view.text.length) return view.ended ? { end: at } : "more";
  const code = view.text.charCodeAt(at);
  const goesOn = last !== undefined && isIn(last.bit, code);
  if (!goesOn) return isIn(base62, code) ? undefined : { end: at };
  if (compiled.strict) return undefined;
  // Formats grow: a longer token behind an unmistakable prefix is hidden whole.
  const end = view.run(last.bit, at, limit);
  if (end >= limit) return { end: limit, tail: last.bit };
  return end === view.text.length && !view.ended ? "more" : { end };
}

function judge(
  { rule }: Compiled,
  text: string,
  { start, end, tail, anchorEnd }: Body & { start: number; anchorEnd: number },
): Match | undefined {
  const from = rule.keepAnchor === true ? anchorEnd : start;
  if (tail !== undefined) return { start: from, end, tail };
  const value = text.slice(from, end);
  if (rule.contains !== undefined && !value.includes(rule.contains)) return undefined;
  if (isPlaceholder(text, anchorEnd, end) || isPublicForm(value)) return undefined;
  if (rule.checksum === undefined) return { start: from, end };
  const checksumOk = endsInItsChecksum(text.slice(anchorEnd, end));
  return { start: from, end, checksumOk, ...(checksumOk ? { confidence: "certain" as const } : {}) };
}

const PLACEHOLDER_LENGTH = 16;
const PLACEHOLDER_READ = 64;
const PLACEHOLDER_DISTINCT = 3;

/** `xxxxxxxx…` and the like: no random token of 16 characters has so few different ones. */
function isPlaceholder(text: string, from: number, end: number): boolean {
  if (end - from < PLACEHOLDER_LENGTH) return false;
  const distinct = new Set<number>();
  for (let i = from; i < end && i < from + PLACEHOLDER_READ; i++) {
    distinct.add(text.charCodeAt(i));
    if (distinct.size > PLACEHOLDER_DISTINCT) return false;
  }
  return true;
}
