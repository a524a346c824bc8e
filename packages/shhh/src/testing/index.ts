/**
 * Made-up secrets of every known shape, for planting in tests.
 *
 * @packageDocumentation
 */
import { charactersOf } from "../alphabet.ts";
import { crc32Base62 } from "../checksum.ts";
import type { Part, TokenRule } from "../contract.ts";
import { BUILT_IN_RULES } from "../rules.ts";

/** A made-up secret of one rule's shape. Made at run time, so that no file holds a token-shaped literal. */
export interface SampleSecret {
  readonly rule: string;
  readonly text: string;
  /** Where the hidden part begins, for rules that leave their anchor in place. */
  readonly hiddenFrom: number;
}

const CHECKSUM_LENGTH = 6;

/** One sample for each built-in token rule, the same for the same seed. */
export function sampleSecrets(seed = 1): readonly SampleSecret[] {
  const random = randomFrom(seed);
  return BUILT_IN_RULES.map((rule) => sampleOf(rule, random));
}

/** A sample of one rule. `random` answers with numbers from 0 up to 1. */
function sampleOf(rule: TokenRule, random: () => number): SampleSecret {
  const pick = (text: string): string => text[Math.floor(random() * text.length)] ?? "";
  const run = (part: Exclude<Part, string>, length: number): string =>
    Array.from({ length }, () => pick(charactersOf(part.of))).join("");
  const anchor = rule.anchors[Math.floor(random() * rule.anchors.length)] ?? "";
  const before = rule.behind === undefined ? "" : run(rule.behind, rule.behind.max);
  const body = rule.body.map((part) => (typeof part === "string" ? part : run(part, part.min))).join("");
  return {
    rule: rule.id,
    text: before + anchor + finish(rule, body),
    hiddenFrom: rule.keepAnchor === true ? before.length + anchor.length : 0,
  };
}

function finish(rule: TokenRule, body: string): string {
  if (rule.checksum !== undefined) {
    const payload = body.slice(0, -CHECKSUM_LENGTH);
    return payload + crc32Base62(payload);
  }
  const { contains = "" } = rule;
  const middle = Math.floor((body.length - contains.length) / 2);
  return body.slice(0, middle) + contains + body.slice(middle + contains.length);
}

/** A private key block of 64-character lines, with no key inside. */
export function samplePrivateKey(label = "PRIVATE KEY", seed = 1): string {
  const random = randomFrom(seed);
  const alphabet = charactersOf("base64");
  const line = (length: number): string =>
    Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
  const lines = [...Array.from({ length: 12 }, () => line(64)), `${line(30)}==`];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join("\n");
}

/** mulberry32: small, fast, and good enough for samples. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}
