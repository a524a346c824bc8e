import type { Detector, Verdict, View } from "./detector.ts";
import { isPublicForm, isUcxlAddress } from "./public-form.ts";

const MIN_UNITS = 8;
const MIN_DISTINCT = 3;
/** Percent-encoding makes three of one, and that must fit the window. */
const MAX_BYTES = 5000;
const ANCHOR_UNITS = 8;
/** Values that stand in every log: hiding them hides the log. */
const COMMON = new Set([
  "password",
  "changeme",
  "localhost",
  "undefined",
  "username",
  "production",
  "development",
  "authorization",
  "container",
  "workspace",
  "/workspace",
  "true,true",
  "example.com",
]);

/** Why a value cannot be watched for, or undefined when it can. */
export function whyRefused(value: string | Uint8Array, rules: readonly string[]): string | undefined {
  const { length } = typeof value === "string" ? value.trim() : value;
  if (length < MIN_UNITS) return `it is shorter than ${MIN_UNITS} characters`;
  if (Buffer.byteLength(value) > MAX_BYTES) return `it is longer than ${MAX_BYTES} bytes`;
  return typeof value === "string" ? whyTextRefused(value.trim(), rules) : undefined;
}

function whyTextRefused(text: string, rules: readonly string[]): string | undefined {
  if (COMMON.has(text.toLowerCase()) || new Set(text).size < MIN_DISTINCT) return "it is too common";
  if (text.includes("[shhh:") || rules.some((rule) => rule.includes(text))) return "it occurs in tags";
  return isPublicForm(text) || isUcxlAddress(text) ? "it is a public name" : undefined;
}

/** Finds one value in every encoding that programs commonly print it in. */
export function knownDetector(value: string | Uint8Array, label: string): Detector {
  const secret = typeof value === "string" ? Buffer.from(value.trim()) : Buffer.from(value);
  const byAnchor = new Map<string, string[]>();
  for (const variant of variantsOf(secret)) {
    const anchor = variant.slice(0, ANCHOR_UNITS);
    byAnchor.set(anchor, [...(byAnchor.get(anchor) ?? []), variant]);
  }
  for (const list of byAnchor.values()) list.sort((a, b) => b.length - a.length);
  return {
    rule: "known",
    kind: label,
    layer: "known",
    confidence: "certain",
    anchors: [...byAnchor.keys()],
    behind: 0,
    secret,
    verify(view, start) {
      const anchor = view.text.slice(start, start + ANCHOR_UNITS);
      return longest(view, start, byAnchor.get(anchor) ?? []);
    },
  };
}

/** @param variants longest first: a shorter one counts only when no longer one can still come */
function longest(view: View, start: number, variants: readonly string[]): Verdict {
  const { text, ended } = view;
  for (const variant of variants) {
    if (text.startsWith(variant, start)) return { start, end: start + variant.length };
    const isCut = text.length - start < variant.length;
    if (isCut && !ended && variant.startsWith(text.slice(start))) return "more";
  }
  return undefined;
}

function variantsOf(secret: Buffer): Set<string> {
  const text = secret.toString("utf8");
  const isText = Buffer.from(text).equals(secret);
  const plain = isText ? [text, ...linesOf(text)] : [];
  const hex = secret.toString("hex");
  const variants = [
    ...plain.flatMap(escapes),
    // The bytes as a byte scan sees them: one unit for each.
    secret.toString("latin1"),
    ...plain.map((line) => Buffer.from(line).toString("latin1")),
    hex,
    hex.toUpperCase(),
    ...[0, 1, 2].flatMap((offset) => base64At(secret, offset)),
  ];
  return new Set(variants.filter((variant) => variant.length >= MIN_UNITS));
}

/** The lines of a value that has several, since logs cut at lines; the dashes of a PEM block are in every block. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.length === 1
    ? []
    : lines.filter((line) => line.length >= MIN_UNITS && !line.startsWith("-----"));
}

function escapes(text: string): string[] {
  const json = inJson(text);
  const ascii = json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const percent = encodeURIComponent(text.toWellFormed());
  const lower = percent.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  const form = new URLSearchParams([["", text]]).toString().slice(1);
  return [text, json, inJson(json), ascii, percent, lower, form];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/**
 * The characters of the base64 that stay the same whatever stands before and behind the value, when `offset`
 * bytes of something else share its first group of three.
 */
function base64At(secret: Buffer, offset: number): string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), secret]);
  const stable = Math.floor((padded.length * 8) / 6);
  const text = padded.toString("base64").slice(Math.ceil((offset * 8) / 6), stable);
  return [text, text.replaceAll("+", "-").replaceAll("/", "_")];
}
