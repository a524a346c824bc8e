import type { Clean } from "@chorus/kernel";

/**
 * How sure a finding is: `certain` by checksum or because the value is known, `strong` by an unmistakable
 * shape, `likely` by a shape that ordinary text has now and then.
 */
export type Confidence = "certain" | "strong" | "likely";

/** One stretch of text that holds a secret. It never carries the secret itself. */
export interface Finding {
  /** The rule's id, for example `github-pat`; `known` for a learned value. */
  readonly rule: string;
  /** What it is, for people: the rule's description, or the label a value was learned under. */
  readonly kind: string;
  readonly confidence: Confidence;
  readonly layer: "known" | "token" | "block" | "url";
  /** First and one past the last unit: UTF-16 units in text, bytes in bytes, bytes since the start in a stream. */
  readonly start: number;
  readonly end: number;
  /** `XXXX-XXXX`: equal for equal secrets under one key, and for every encoding of one known value. */
  readonly fingerprint: string;
  /** Whether the token's own checksum held; absent where the format has none. A failed one hides nothing less. */
  readonly checksumOk?: boolean;
}

/** The alphabets a rule can name. `hex` is lower case, `base64` has no padding. */
export type Alphabet =
  | "digit"
  | "hex"
  | "hex-any"
  | "lower"
  | "letter"
  | "alnum-lower"
  | "alnum-upper"
  | "base32"
  | "base32-lower"
  | "base58"
  | "base62"
  | "word"
  | "base64"
  | "base64-padded"
  | "base64url"
  | "base64-any"
  | "uuid"
  | "bech32-upper"
  | "unreserved"
  | "token";

/** A literal, or a greedy run of characters from one alphabet. Without `max` the run may be of any length. */
export type Part = string | { readonly of: Alphabet; readonly min: number; readonly max?: number };

/**
 * A token format as data. Parts are matched from left to right without going back, so an alphabet must not
 * contain the first character of the literal after it.
 */
export interface TokenRule {
  /** Lower case, digits and dashes, at most 40: it appears in the tag. */
  readonly id: string;
  readonly kind: string;
  /** Literals, any of which begins (or, with `behind`, continues) the token; at least 2 characters each. */
  readonly anchors: readonly string[];
  /** What stands directly before the anchor and belongs to the token, at most 64 characters. */
  readonly behind?: { readonly of: Alphabet; readonly min: number; readonly max: number };
  readonly body: readonly Part[];
  /** Text that must occur inside the token. */
  readonly contains?: string;
  /** How a checksum inside the token is judged; it raises the confidence and never lets a token through. */
  readonly checksum?: "crc32-base62";
  /** Leaves the anchor in place and hides only what follows it. @default false */
  readonly keepAnchor?: boolean;
  /**
   * A token may follow a letter or digit directly. Otherwise it must stand apart, where an escape (`\\n`, `%20`,
   * an ANSI colour) counts as apart. @default false
   */
  readonly glued?: boolean;
  /** @default "strong" */
  readonly confidence?: Confidence;
}

/** A secret that this process really holds. */
export interface KnownValue {
  readonly value: string | Uint8Array;
  /** Names the value for people, for example `env:DATABASE_PASSWORD`. */
  readonly label: string;
}

/** The answer to {@link Sentinel.learn}. */
export interface Learned {
  /** False when the value cannot be watched for; `reason` says why. */
  readonly accepted: boolean;
  readonly reason?: string;
  /** Stops watching for the value. Streams that are open keep what they were opened with. */
  readonly forget: () => void;
}

/** A stream of bytes on its way out. What `push` and `end` return, put together, is the redacted stream. */
export interface SecretStream {
  /** @returns what can leave now; at most 16 KiB are held back, from the start of the earliest open candidate */
  push(chunk: Uint8Array): Clean<Uint8Array>;
  /** @returns the rest. Nothing may be pushed afterwards. */
  end(): Clean<Uint8Array>;
  /** What was hidden so far, in order. */
  readonly findings: readonly Finding[];
}

/** Finds and hides secrets. Every method is synchronous and none changes what it is given. */
export interface Sentinel {
  /** Findings in order, never overlapping; offsets in UTF-16 units. */
  scan(text: string): Finding[];
  /** Findings in bytes of any kind; offsets in bytes. */
  scanBytes(bytes: Uint8Array): Finding[];
  /**
   * Puts `[shhh:rule:XXXX-XXXX]` in the place of each finding. A second pass changes nothing, save where a tag has
   * taken the place of what ended a URL's authority: there it may hide more.
   */
  redact(text: string): { readonly text: Clean<string>; readonly findings: readonly Finding[] };
  /**
   * A deep copy with every string, key and byte array redacted. Maps, sets, errors, cycles and `toJSON` are
   * followed; what is nested deeper than 100 levels or cannot be read becomes `[shhh:unreadable]`.
   */
  redactValue<T>(value: T): { readonly value: Clean<T>; readonly findings: readonly Finding[] };
  /** Opens a stream with the rules and known values of now. */
  stream(): SecretStream;
  /** Watches for a value in all its encodings. Refused: under 8 characters, too common, or a public name. */
  learn(value: string | Uint8Array, label: string): Learned;
  /**
   * Lets bytes through unchanged, or not at all: files and records are never rewritten.
   * @throws BlockedError `shhh/blocked` when they hold a secret
   */
  pass(bytes: Uint8Array): Clean<Uint8Array>;
}

export interface SentinelOptions {
  /** Key of the fingerprints, at least 16 bytes: one per mesh, so that tags correlate there and nowhere else. */
  readonly key: Uint8Array;
  /** Rules besides the built-in ones. */
  readonly rules?: readonly TokenRule[];
  /** Values to watch for from the start. A value that {@link Sentinel.learn} would refuse is refused here too. */
  readonly known?: readonly KnownValue[];
  /** Told of each finding that was hidden or blocked; for audit. It must not throw. */
  readonly onFinding?: (finding: Finding) => void;
}
