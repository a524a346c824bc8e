import * as dagCbor from "@ipld/dag-cbor";
import { InvalidInputError } from "./errors.ts";

/** Values that have exactly one encoding: no floats, no undefined, strings well-formed and NFC. */
export type Canonical =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Canonical[]
  | { readonly [key: string]: Canonical };

/** Bounds that are checked before anything is parsed. */
export interface DecodeLimits {
  /** @default 1 MiB */
  readonly maxBytes?: number;
  /** Nesting of arrays and maps. @default 32 */
  readonly maxDepth?: number;
}

const MIB = 1_048_576;

/**
 * Encodes a value as deterministic DAG-CBOR: equal values give equal bytes, on every peer.
 * @throws InvalidInputError naming the path of a value that has no canonical form
 */
export function encodeCanonical(value: Canonical): Uint8Array {
  assertCanonical(value, "", 64);
  return dagCbor.encode(value);
}

/**
 * Decodes DAG-CBOR strictly: the codec by itself accepts unsorted keys, short floats and invalid UTF-8, so
 * the value is encoded again and must give the same bytes.
 * @throws InvalidInputError
 */
export function decodeCanonical(bytes: Uint8Array, limits: DecodeLimits = {}): Canonical {
  const { maxBytes = MIB, maxDepth = 32 } = limits;
  if (bytes.length > maxBytes)
    throw new InvalidInputError("bytes", `${bytes.length} bytes are over the limit of ${maxBytes}`);
  assertDepth(bytes, maxDepth);
  let value: Canonical;
  try {
    value = dagCbor.decode<Canonical>(bytes);
  } catch (cause) {
    throw new InvalidInputError("bytes", "are not DAG-CBOR", cause);
  }
  assertCanonical(value, "", maxDepth);
  const again = dagCbor.encode(value);
  if (!equalBytes(again, bytes)) throw new InvalidInputError("bytes", "are not in canonical form");
  return value;
}

/** Compares public bytes; not in constant time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function assertCanonical(value: unknown, path: string, depth: number): void {
  const fail = (problem: string): never => {
    throw new InvalidInputError(path || "value", problem);
  };
  if (depth < 0) fail("is nested too deeply");
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return;
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) fail("is not a safe integer");
    return;
  }
  if (typeof value === "string") {
    if (!value.isWellFormed() || value.normalize("NFC") !== value) fail("is not well-formed NFC text");
    return;
  }
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) assertCanonical(item, `${path}/${i}`, depth - 1);
    return;
  }
  if (typeof value !== "object" || !isPlain(value)) fail("has no canonical form");
  for (const [key, item] of Object.entries(value as object)) {
    assertCanonical(key, `${path}/${key}`, depth);
    assertCanonical(item, `${path}/${key}`, depth - 1);
  }
}

function isPlain(value: unknown): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Counts open arrays and maps without building anything, so that hostile nesting costs no stack. */
function assertDepth(bytes: Uint8Array, maxDepth: number): void {
  const open: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const major = bytes[at]! >> 5;
    const { value, next } = readLength(bytes, at);
    at = next;
    if (major === 2 || major === 3) at += value;
    else if (major === 4 && value > 0) open.push(value);
    else if (major === 5 && value > 0) open.push(value * 2);
    if (open.length > maxDepth) throw new InvalidInputError("bytes", `are nested deeper than ${maxDepth}`);
    const opened = (major === 4 || major === 5) && value > 0;
    // A tag (major 6) is followed by its item, so it closes nothing itself.
    if (!opened && major !== 6) closeItem(open);
  }
}

function closeItem(open: number[]): void {
  while (open.length > 0) {
    const left = open[open.length - 1]! - 1;
    if (left > 0) {
      open[open.length - 1] = left;
      return;
    }
    open.pop();
  }
}

/** The argument of a CBOR head (RFC 8949, section 3); indefinite lengths are left to the codec to refuse. */
function readLength(bytes: Uint8Array, at: number): { value: number; next: number } {
  const info = bytes[at]! & 0x1f;
  if (info < 24) return { value: info, next: at + 1 };
  const size = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0;
  let value = 0;
  for (let i = 1; i <= size; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return { value, next: at + 1 + size };
}
