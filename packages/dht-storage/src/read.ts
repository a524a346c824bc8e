import type { Cid, PeerId } from "@chorus/kernel";
import { answersOf, noteFailure } from "./ask.ts";
import { blocksOf, hasExpired, openEnvelope, sha256Hex, type SignedEnvelope } from "./blob-envelope.ts";
import { BadCopiesError, DiskError, FullError, NoKeyError, RefusedError } from "./errors.ts";
import { checkBlocks, identitiesFor, openBlocks, openWhole } from "./open-blob.ts";
import { limitsOf, report, type Parts } from "./parts.ts";
import { peerClient } from "./peer-client.ts";
import { rank } from "./placement.ts";
import { announce, providersOf } from "./providing.ts";
import { assertProtected, missingBlocks } from "./take-in.ts";

/** Peers asked at once whether they hold a blob. */
const ASKED_AT_ONCE = 3;

/** A verified blob: in memory when it is one block, on this disk when it is more. */
export type Found = { readonly bytes: Uint8Array } | { readonly stored: SignedEnvelope };

/** One search for an address, and what it met on the way. */
interface Search {
  readonly parts: Parts;
  readonly cid: Cid;
  readonly signal: AbortSignal;
  /** Ciphertexts that are known to be wrong, so that other holders of the same are not asked for them. */
  readonly rejected: Set<string>;
  noKey?: NoKeyError;
}

/**
 * Finds a blob and verifies all of it: on this disk, then at connected peers in the order in which they should
 * hold it, then at those that the DHT names.
 * @throws BadCopiesError, NoKeyError
 */
export async function find(parts: Parts, cid: Cid, signal: AbortSignal): Promise<Found | undefined> {
  const search: Search = { parts, cid, signal, rejected: new Set() };
  const found = (await findHere(search)) ?? (await findElsewhere(search));
  if (found !== undefined) return found;
  if (search.noKey !== undefined) throw search.noKey;
  if (search.rejected.size > 0) throw new BadCopiesError(cid, search.rejected.size);
  return undefined;
}

/** The plaintext of a stored blob, which was verified before; a block that was damaged since is fetched again. */
export async function* readStored(
  parts: Parts,
  signed: SignedEnvelope,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { addr } = signed.envelope;
  yield* openBlocks(parts, signed, async (hash) => {
    signal.throwIfAborted();
    const here = await parts.blocks.read(hash);
    if (here !== undefined) return here;
    const search: Search = { parts, cid: addr, signal, rejected: new Set() };
    await findElsewhere(search);
    const again = await parts.blocks.read(hash);
    if (again === undefined) throw new BadCopiesError(addr, search.rejected.size);
    return again;
  });
}

async function findHere(search: Search): Promise<Found | undefined> {
  const { parts, cid } = search;
  for (const { bytes, verified } of parts.envelopes.held(cid)) {
    const signed = await openEnvelope(bytes, limitsOf(parts));
    try {
      const found = await openHere(search, signed, verified);
      if (found !== undefined) return found;
    } catch (error) {
      if (error instanceof NoKeyError) search.noKey = error;
      else if (error instanceof RefusedError) await dropWrong(search, signed, error);
      else throw error;
    }
  }
  return undefined;
}

/**
 * Opens a copy whose blocks should be on this disk.
 * @returns undefined when a block is missing or damaged
 * @throws RefusedError when the copy is wrong, NoKeyError, or an error of the disk
 */
async function openHere(
  search: Search,
  signed: SignedEnvelope,
  verified: boolean,
): Promise<Found | undefined> {
  const { parts, signal } = search;
  const { addr, author } = signed.envelope;
  identitiesFor(parts, signed);
  const read = async (hash: string): Promise<Uint8Array> => {
    signal.throwIfAborted();
    const block = await parts.blocks.read(hash);
    if (block === undefined) throw new MissingBlock();
    return block;
  };
  const [only, ...more] = blocksOf(signed.envelope);
  try {
    if (only !== undefined && more.length === 0)
      return { bytes: await openWhole(parts, signed, await read(only.hash)) };
    if (!verified) await checkBlocks(parts, signed, read);
  } catch (error) {
    if (error instanceof MissingBlock) return undefined;
    throw error;
  }
  if (!verified) parts.envelopes.markVerified(addr, author);
  return { stored: signed };
}

/** Ends the reading of a copy of which a block turns out to be missing. */
class MissingBlock extends Error {}

/** The author sealed something else than the envelope says. */
async function dropWrong(search: Search, signed: SignedEnvelope, error: RefusedError): Promise<void> {
  const { parts, cid, rejected } = search;
  report(parts, signed.envelope.author, { problem: error.message, addr: cid, as: "author" });
  rejected.add(nameOf(signed));
  await parts.envelopes.drop(signed);
}

async function findElsewhere(search: Search): Promise<Found | undefined> {
  const { parts, cid, signal } = search;
  const connected = rank(cid, parts.streams.peers());
  const found = await tryPeers(search, connected);
  if (found !== undefined) return found;
  for await (const peer of providersOf(parts, cid, signal)) {
    if (connected.includes(peer) || peer === parts.signer.peer) continue;
    const provided = await tryPeers(search, [peer]);
    if (provided !== undefined) return provided;
  }
  return undefined;
}

async function tryPeers(search: Search, peers: readonly PeerId[]): Promise<Found | undefined> {
  const { parts, cid, signal } = search;
  const question = { ask: holdings(cid), atOnce: ASKED_AT_ONCE, signal };
  for await (const { peer, answer } of answersOf(parts, peers, question))
    for (const bytes of answer) {
      const found = await tryCopy(search, peer, bytes);
      if (found !== undefined) return found;
    }
  return undefined;
}

function holdings(cid: Cid): (client: ReturnType<typeof peerClient>) => Promise<readonly Uint8Array[]> {
  return (client) => client.held(cid);
}

/** Fetches and verifies one copy that a peer says it has. */
async function tryCopy(search: Search, peer: PeerId, bytes: Uint8Array): Promise<Found | undefined> {
  const { parts, cid, signal, rejected } = search;
  try {
    const signed = await openEnvelope(bytes, limitsOf(parts));
    assertProtected(parts, signed);
    if (signed.envelope.addr !== cid) throw new RefusedError("it is not what was asked for");
    if (rejected.has(nameOf(signed)) || hasExpired(signed.envelope, parts.clock.now())) return undefined;
    identitiesFor(parts, signed);
    return signed.envelope.blocks.length === 0
      ? await fetchWhole(search, peer, signed)
      : await fetchBlocks(search, peer, signed);
  } catch (error) {
    signal.throwIfAborted();
    // No room, or a bad disk, is no fault of the peer, and the next one would not help.
    if (error instanceof FullError || error instanceof DiskError) throw error;
    if (error instanceof NoKeyError) search.noKey = error;
    else if (noteFailure(parts, peer, error)) rejected.add(peer);
    return undefined;
  }
}

async function fetchWhole(search: Search, peer: PeerId, signed: SignedEnvelope): Promise<Found | undefined> {
  const { parts, signal, rejected } = search;
  let sealed: Uint8Array | undefined;
  await peerClient(parts, peer, signal).fetch(blocksOf(signed.envelope), async (_, bytes) => {
    sealed = bytes;
  });
  if (sealed === undefined) return undefined;
  try {
    const bytes = await openWhole(parts, signed, sealed);
    if (parts.keepReads) await keep(parts, signed, sealed);
    return { bytes };
  } catch (error) {
    // Its bytes were the announced ones, so it is wrong wherever it is held.
    rejected.add(nameOf(signed));
    throw error;
  }
}

/** A copy of what was read; not having room for it is no reason to fail the read. */
async function keep(parts: Parts, signed: SignedEnvelope, sealed: Uint8Array): Promise<void> {
  try {
    await parts.blocks.add(sha256Hex(sealed), sealed);
    await parts.envelopes.commit(signed, { verified: true });
    announce(parts, signed.envelope.addr);
  } catch (error) {
    parts.logger.warn("a blob that was read could not be kept", { error: String(error) });
  }
}

/** Brings the blocks that are not here yet to this disk, whoever gave the others, and verifies the whole. */
async function fetchBlocks(search: Search, peer: PeerId, signed: SignedEnvelope): Promise<Found | undefined> {
  const { parts, signal, rejected } = search;
  const lacking = missingBlocks(parts, signed);
  await parts.blocks.reserve(lacking.reduce((sum, { size }) => sum + size, 0));
  await peerClient(parts, peer, signal).fetch(lacking, ({ hash }, bytes) => parts.blocks.add(hash, bytes));
  try {
    const found = await openHere(search, signed, false);
    if (found === undefined || !(await parts.envelopes.commit(signed, { verified: true }))) return undefined;
    announce(parts, signed.envelope.addr);
    return found;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    rejected.add(nameOf(signed));
    await parts.blocks.release(blocksOf(signed.envelope).map(({ hash }) => hash));
    throw error;
  }
}

function nameOf({ envelope: { author, ct } }: SignedEnvelope): string {
  return `${author} ${Buffer.from(ct).toString("hex")}`;
}
