import { createHash } from "node:crypto";
import { cidFromDigest, cidOf, InvalidInputError, type Cid } from "@chorus/kernel";
import { MAX_WHOLE_BYTES, sealBytes, sealStream } from "./age.ts";
import {
  BLOCK_BYTES,
  classLimit,
  contentOf,
  defaultExpiry,
  endsLater,
  openEnvelope,
  sealEnvelope,
  sha256,
  type SignedEnvelope,
} from "./blob-envelope.ts";
import { abortable } from "./cancel.ts";
import type { PutOptions, PutResult } from "./contract.ts";
import { DiskError, TooLargeError } from "./errors.ts";
import { limitsOf, type Parts } from "./parts.ts";
import { announce } from "./providing.ts";
import { spread, type Spread } from "./spread.ts";

/** A ciphertext on this disk, not visible yet. */
interface Staged {
  readonly hashes: readonly Uint8Array[];
  readonly size: number;
}

/** Seals, stores and copies bytes. */
export async function putBytes(parts: Parts, bytes: Uint8Array, options: PutOptions): Promise<PutResult> {
  if (bytes.length > MAX_WHOLE_BYTES) return putSource(parts, slicesOf(bytes), options);
  const limit = classLimit(options.class, parts.maxArtifactBytes);
  if (bytes.length > limit) throw new TooLargeError(options.class, limit);
  const plain = bytes.slice();
  const expires = expiryOf(parts, options);
  const cid = await cidOf(plain, options.codec);
  let signed = await reusable(parts, cid, { ...options, expires });
  if (signed === undefined) {
    const staged = await stageWhole(parts, await sealBytes(plain, parts.keys.recipients));
    signed = await publish(parts, { cid, staged, expires, ...options });
  }
  return copyOut(parts, signed, options.signal);
}

/** As {@link putBytes}, from a stream: the address is known only at its end. */
export async function putSource(
  parts: Parts,
  source: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<PutResult> {
  const limit = classLimit(options.class, parts.maxArtifactBytes);
  const expires = expiryOf(parts, options);
  const { staged, digest } = await sealToDisk(parts, source, { ...options, limit });
  const cid = cidFromDigest(digest, options.codec);
  const held = await reusable(parts, cid, { ...options, expires });
  if (held !== undefined) await discard(parts, staged.hashes);
  const signed = held ?? (await publish(parts, { cid, staged, expires, ...options }));
  return copyOut(parts, signed, options.signal);
}

/** The name of a blob in the list of what is owed. */
export function blobItem(cid: Cid): string {
  return `blob ${cid}`;
}

/** How a blob on this disk is copied to others. */
export function blobSpread({ blocks }: Parts, { envelope, bytes }: SignedEnvelope): Spread {
  const read = async (hash: string): Promise<Uint8Array> => {
    const block = await blocks.read(hash);
    if (block === undefined) throw new DiskError("reading a block", undefined);
    return block;
  };
  return {
    item: blobItem(envelope.addr),
    placementKey: envelope.addr,
    offer: (client) => client.offer(bytes, read),
  };
}

async function copyOut(
  parts: Parts,
  signed: SignedEnvelope,
  signal: AbortSignal | undefined,
): Promise<PutResult> {
  const { addr } = signed.envelope;
  announce(parts, addr);
  return { cid: addr, ...(await spread(parts, blobSpread(parts, signed), signal)) };
}

function expiryOf({ clock }: Parts, options: PutOptions): number | null {
  const { expiresAt } = options;
  const now = clock.now();
  if (expiresAt === undefined) return defaultExpiry(options.class, now);
  if (Number.isSafeInteger(expiresAt) && expiresAt > now) return expiresAt;
  throw new InvalidInputError("expiresAt", "must be milliseconds in the future");
}

interface Terms extends PutOptions {
  readonly expires: number | null;
}

/** An envelope of our own that already promises what is asked: sealing again would only cost space. */
async function reusable(parts: Parts, cid: Cid, terms: Terms): Promise<SignedEnvelope | undefined> {
  const { role, epoch } = parts.keys;
  const own = await ownEnvelope(parts, cid);
  if (own === undefined) return undefined;
  const { envelope } = own;
  const isSealedSo = envelope.role === role && envelope.epoch === epoch;
  const isKept = envelope.class === terms.class || terms.class !== "decision";
  if (!isSealedSo || !isKept || endsLater(terms.expires, envelope.expires)) return undefined;
  const item = blobItem(cid);
  if (!parts.copies.isOwed(item)) parts.copies.owe(item);
  return own;
}

async function ownEnvelope(parts: Parts, cid: Cid): Promise<SignedEnvelope | undefined> {
  for (const { bytes } of parts.envelopes.held(cid)) {
    const signed = await openEnvelope(bytes, limitsOf(parts)).catch(() => undefined);
    if (signed?.envelope.author === parts.signer.peer) return signed;
  }
  return undefined;
}

/** Signs the envelope and makes the blob visible, in one transaction with the note that copies are owed. */
async function publish(
  parts: Parts,
  blob: Terms & { readonly cid: Cid; readonly staged: Staged },
): Promise<SignedEnvelope> {
  const { keys, signer, clock, cluster, envelopes, copies } = parts;
  const { cid, staged } = blob;
  // One envelope per author and address is kept: the new one takes the longer of both lives over, and is newer
  // even in the same millisecond.
  const before = (await ownEnvelope(parts, cid))?.envelope;
  const stays = before !== undefined && endsLater(before.expires, blob.expires);
  const { class: blobClass, expires } = stays ? before : blob;
  const created = Math.max(clock.now(), (envelopes.terms(cid, signer.peer)?.created ?? 0) + 1);
  const content = { ...contentOf(staged.hashes), size: staged.size, class: blobClass };
  const seal = { role: keys.role, epoch: keys.epoch, author: signer.peer, created, expires };
  const signed = await sealEnvelope({ cluster, addr: cid, ...content, ...seal }, signer);
  const also = (): void => copies.owe(blobItem(cid));
  if (await envelopes.commit(signed, { verified: true, also })) return signed;
  await discard(parts, staged.hashes);
  throw new DiskError("keeping a block", undefined);
}

async function stageWhole({ blocks }: Parts, sealed: Uint8Array): Promise<Staged> {
  const hash = sha256(sealed);
  await blocks.add(hexOf(hash), sealed);
  return { hashes: [hash], size: sealed.length };
}

/** Seals a stream into blocks on this disk; on failure nothing of it stays. */
async function sealToDisk(
  parts: Parts,
  source: AsyncIterable<Uint8Array>,
  options: PutOptions & { readonly limit: number },
): Promise<{ staged: Staged; digest: Uint8Array }> {
  const digest = createHash("sha256");
  const hashes: Uint8Array[] = [];
  let size = 0;
  const readable = options.signal === undefined ? source : abortable(source, options.signal);
  const measured = measure(readable, { ...options, onChunk: (chunk) => void digest.update(chunk) });
  try {
    for await (const block of blocksOfSize(sealStream(measured, parts.keys.recipients), BLOCK_BYTES)) {
      const hash = sha256(block);
      hashes.push(hash);
      size += block.length;
      await parts.blocks.add(hexOf(hash), block);
    }
  } catch (error) {
    await discard(parts, hashes);
    throw error;
  }
  return { staged: { hashes, size }, digest: digest.digest() };
}

/** Copies each chunk, so that hashing and sealing see the same bytes whatever the source does to them later. */
async function* measure(
  source: AsyncIterable<Uint8Array>,
  options: PutOptions & { readonly limit: number; readonly onChunk: (chunk: Uint8Array) => void },
): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    if (total > options.limit) throw new TooLargeError(options.class, options.limit);
    const copy = Uint8Array.from(chunk);
    options.onChunk(copy);
    yield copy;
  }
}

/** Regroups chunks into blocks of exactly `size` bytes; only the last is shorter. */
async function* blocksOfSize(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let block = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + size - filled);
      block.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) continue;
      yield block;
      block = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

async function* slicesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) yield bytes.subarray(at, at + BLOCK_BYTES);
}

function discard({ blocks }: Parts, hashes: readonly Uint8Array[]): Promise<void> {
  return blocks.release(hashes.map(hexOf));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
