import { hash } from "node:crypto";
import {
  decodeCanonical,
  encodeCanonical,
  parseCid,
  parsePeerId,
  verifySignature,
  type Canonical,
  type Cid,
  type PeerId,
  type Signer,
} from "@chorus/kernel";
import { MAX_WHOLE_BYTES, sealedBound } from "./age.ts";
import type { BlobClass } from "./contract.ts";
import { RefusedError } from "./errors.ts";
import { bytesField, bytesListField, countField, fieldsOf, textField, type Fields } from "./shape.ts";

const DOMAIN = "chorus/storage-envelope/1";
/** Ciphertext over one block is cut into blocks of this size; the last is shorter. */
export const BLOCK_BYTES = 1_048_576;
/** A plaintext of up to 1 MiB is one block, longer by what age adds. */
export const MAX_SINGLE_BYTES = sealedBound(MAX_WHOLE_BYTES);
/** 34 bytes name a block, so this bounds the envelope to about 48 KiB and a blob to 1.3 GiB. */
const MAX_BLOCKS = 1350;
const MAX_ENVELOPE_BYTES = 49_152;
/** Clocks of honest peers may differ by so much. */
const CLOCK_SKEW_MS = 300_000;
const DAY_MS = 86_400_000;
const MIB = 1_048_576;
const KEYS = ["v", "cluster", "addr", "ct", "size", "blocks", "class", "role", "epoch", "author", "created"];
const SIGNED_KEYS = [...KEYS, "expires", "sig"];

/** The public, signed description of one sealed blob: all that a storer needs to judge it without a key. */
export interface BlobEnvelope {
  readonly cluster: string;
  /** Address of the plaintext. */
  readonly addr: Cid;
  /** SHA-256 of the ciphertext; of the joined block hashes where there are several blocks. */
  readonly ct: Uint8Array;
  /** Bytes of ciphertext. */
  readonly size: number;
  /** SHA-256 of each block; empty when the ciphertext is one block. */
  readonly blocks: readonly Uint8Array[];
  readonly class: BlobClass;
  readonly role: string;
  readonly epoch: number;
  readonly author: PeerId;
  readonly created: number;
  readonly expires: number | null;
}

/** A verified envelope with the bytes that were signed, to be stored and passed on unchanged. */
export interface SignedEnvelope {
  readonly envelope: BlobEnvelope;
  readonly bytes: Uint8Array;
}

/** A piece of ciphertext, named by the hex SHA-256 of its bytes. */
export interface Block {
  readonly hash: string;
  readonly size: number;
}

/** What an envelope is judged against. */
export interface EnvelopeLimits {
  readonly cluster: string;
  readonly maxArtifactBytes: number;
  readonly now: number;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash("sha256", bytes, "buffer"));
}

export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** Bound of the plaintext by class, in bytes. */
export function classLimit(blobClass: BlobClass, maxArtifactBytes: number): number {
  return { decision: 262_144, artifact: maxArtifactBytes, ephemeral: 16 * MIB }[blobClass];
}

/** When a blob of this class ends unless its author says otherwise. */
export function defaultExpiry(blobClass: BlobClass, now: number): number | null {
  return { decision: null, artifact: now + 90 * DAY_MS, ephemeral: now + DAY_MS }[blobClass];
}

/** Does `a` end after `b`? */
export function endsLater(a: number | null, b: number | null): boolean {
  return b !== null && (a === null || a > b);
}

export function hasExpired({ expires }: BlobEnvelope, now: number): boolean {
  return expires !== null && expires <= now;
}

/** `ct` and `blocks` for the blocks of a ciphertext, given by their hashes in order. */
export function contentOf(hashes: readonly Uint8Array[]): Pick<BlobEnvelope, "ct" | "blocks"> {
  const [only] = hashes;
  if (hashes.length === 1 && only !== undefined) return { ct: only, blocks: [] };
  return { ct: sha256(Buffer.concat(hashes)), blocks: hashes };
}

/** The blocks of the ciphertext, in order. */
export function blocksOf({ ct, size, blocks }: BlobEnvelope): readonly Block[] {
  if (blocks.length === 0) return [{ hash: hex(ct), size }];
  return blocks.map((block, i) => ({
    hash: hex(block),
    size: Math.min(BLOCK_BYTES, size - i * BLOCK_BYTES),
  }));
}

export async function sealEnvelope(envelope: BlobEnvelope, signer: Signer): Promise<SignedEnvelope> {
  const body = bodyOf(envelope);
  const sig = await signer.sign(DOMAIN, encodeCanonical(body));
  return { envelope, bytes: encodeCanonical({ ...body, sig }) };
}

/**
 * Checks all that can be checked without a key: form, mesh, signature, class, size, that it is
 * not from the future. Whether it has expired is the caller's to judge.
 * @throws RefusedError
 */
export async function openEnvelope(bytes: Uint8Array, limits: EnvelopeLimits): Promise<SignedEnvelope> {
  let envelope: BlobEnvelope;
  let sig: Uint8Array;
  try {
    const map = fieldsOf(decodeCanonical(bytes, { maxBytes: MAX_ENVELOPE_BYTES, maxDepth: 4 }), SIGNED_KEYS);
    envelope = parseEnvelope(map);
    sig = bytesField(map, "sig", 64);
  } catch (error) {
    throw new RefusedError(error instanceof Error ? error.message : "unreadable envelope", error);
  }
  const problem = problemWith(envelope, limits);
  if (problem !== undefined) throw new RefusedError(problem);
  const signed = encodeCanonical(bodyOf(envelope));
  if (!(await verifySignature({ peer: envelope.author, domain: DOMAIN, bytes: signed, signature: sig })))
    throw new RefusedError("the signature is not the author's");
  return { envelope, bytes };
}

function bodyOf(envelope: BlobEnvelope): Readonly<Record<string, Canonical>> {
  return { v: 1, ...envelope };
}

function parseEnvelope(map: Fields): BlobEnvelope {
  if (map["v"] !== 1) throw new RefusedError("the version is unknown");
  return {
    cluster: textField(map, "cluster", 64),
    addr: parseCid(map["addr"], "addr"),
    ct: bytesField(map, "ct", 32),
    size: countField(map, "size"),
    blocks: bytesListField(map, "blocks", { items: MAX_BLOCKS, length: 32 }),
    class: parseClass(map["class"]),
    role: textField(map, "role", 32),
    epoch: countField(map, "epoch"),
    author: parsePeerId(map["author"], "author"),
    created: countField(map, "created"),
    expires: map["expires"] === null ? null : countField(map, "expires"),
  };
}

function parseClass(value: unknown): BlobClass {
  if (value === "decision" || value === "artifact" || value === "ephemeral") return value;
  throw new RefusedError("the class is unknown");
}

function problemWith(envelope: BlobEnvelope, limits: EnvelopeLimits): string | undefined {
  const { size, blocks, created } = envelope;
  if (envelope.cluster !== limits.cluster) return "it belongs to another mesh";
  if (created > limits.now + CLOCK_SKEW_MS) return "it was made in the future";
  if (size > sealedBound(classLimit(envelope.class, limits.maxArtifactBytes)))
    return "it is too large for its class";
  if (blocks.length === 0) return size > MAX_SINGLE_BYTES ? "one block cannot be so large" : undefined;
  if (blocks.length < 2 || blocks.length !== Math.ceil(size / BLOCK_BYTES))
    return "the blocks do not add up to its size";
  return Buffer.compare(contentOf(blocks).ct, envelope.ct) === 0
    ? undefined
    : "the block hashes do not match";
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
