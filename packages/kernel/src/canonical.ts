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
  if (a.length !== b.length) return false;
  // Node compares 64 KiB in the time in which this loop compares three.
  if (typeof Buffer === "function") return Buffer.compare(a, b) === 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function assertCanonical(value: unknown, path: string, depth: number): void {
  if (depth < 0) refuse(path, "is nested too deeply");
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return;
  if (typeof value === "number") assertInteger(value, path);
  else if (typeof value === "string") assertText(value, path);
  else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) assertCanonical(item, `${path}/${i}`, depth - 1);
  } else assertMap(value, path, depth);
}

function assertMap(value: unknown, path: string, depth: number): void {
  if (typeof value !== "object" || value === null || !isPlain(value)) refuse(path, "has no canonical form");
  for (const [key, item] of Object.entries(value)) {
    assertText(key, `${path}/${key}`);
    assertCanonical(item, `${path}/${key}`, depth - 1);
  }
}

function assertInteger(value: number, path: string): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) refuse(path, "is not a safe integer");
}

function assertText(value: string, path: string): void {
  if (!value.isWellFormed() || value.normalize("NFC") !== value) refuse(path, "is not well-formed NFC text");
}

function refuse(path: string, problem: string): never {
  throw new InvalidInputError(path || "value", problem);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Counts open arrays and maps without building anything, so that hostile nesting costs no stack. */
function assertDepth(bytes: Uint8Array, maxDepth: number): void {
  const open: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const { major, argument, next } = readHead(bytes, at);
    const isText = major === BYTES || major === TEXT;
    const children = major === ARRAY ? argument : major === MAP ? argument * 2 : 0;
    at = isText ? next + argument : next;
    if (children > 0) open.push(children);
    // A tag is followed by its item, so it closes nothing itself.
    else if (major !== TAG) closeItem(open);
    if (open.length > maxDepth) refuse("bytes", `are nested deeper than ${maxDepth}`);
  }
}

function closeItem(open: number[]): void {
  for (let left = open.pop(); left !== undefined; left = open.pop()) {
    if (left > 1) {
      open.push(left - 1);
      return;
    }
  }
}

/** Major types of CBOR (RFC 8949, section 3.1). */
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;
/** Bytes of the argument that follows the head, by the head's low five bits. */
const ARGUMENT_BYTES = new Map([
  [24, 1],
  [25, 2],
  [26, 4],
  [27, 8],
]);

/** One head (RFC 8949, section 3); indefinite lengths are left to the codec to refuse. */
function readHead(bytes: Uint8Array, at: number): { major: number; argument: number; next: number } {
  const head = bytes[at] ?? 0;
  const info = head & 0x1f;
  const size = ARGUMENT_BYTES.get(info) ?? 0;
  let argument = size === 0 ? info : 0;
  for (let i = 1; i <= size; i++) argument = argument * 256 + (bytes[at + i] ?? 0);
  return { major: head >> 5, argument, next: at + 1 + size };
}
