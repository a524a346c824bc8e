import type { Canonical } from "@chorus/kernel";

/**
 * Brings a JSON-like value into the form that has one encoding: absent members go, fractions are rounded (our
 * durations are whole milliseconds), text becomes well-formed NFC.
 */
export function canonicalOf(value: unknown): Canonical {
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return value;
  if (typeof value === "string") return canonicalText(value);
  if (typeof value === "number") return wholeNumber(value);
  if (Array.isArray(value)) return value.map(canonicalOf);
  if (typeof value !== "object") return null;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries.map(([key, member]) => [canonicalText(key), canonicalOf(member)]));
}

/**
 * The same value with its members in the order of the canonical encoding, so that it reads the same, byte for byte as
 * JSON, whether it was made here or came out of a snapshot.
 */
export function inCanonicalOrder<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const ordered: unknown = Array.isArray(value)
    ? value.map(inCanonicalOrder)
    : Object.fromEntries(
        Object.entries(value)
          .toSorted(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
          .map(([key, member]) => [key, inCanonicalOrder(member)]),
      );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the order of the members is another one
  return ordered as T;
}

/** Well-formed NFC text of at most `max` characters, cut between characters. */
export function canonicalText(text: string, max = Number.POSITIVE_INFINITY): string {
  const normal = text.toWellFormed().normalize("NFC");
  return normal.length <= max
    ? normal
    : `${normal
        .slice(0, max - 1)
        .toWellFormed()
        .replace(/\uFFFD$/, "")}…`;
}

function wholeNumber(value: number): number | null {
  if (Number.isNaN(value)) return null;
  // Adding 0 turns -0, which has no encoding, into 0.
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.round(value))) + 0;
}
