import { errorCode, type PeerId } from "@chorus/kernel";
import {
  blocksOf,
  hasExpired,
  openEnvelope,
  sha256Hex,
  type Block,
  type SignedEnvelope,
} from "./blob-envelope.ts";
import type { Channel } from "./channel.ts";
import { RefusedError } from "./errors.ts";
import { openHead, type SignedHead } from "./head-record.ts";
import { limitsOf, report, type Parts } from "./parts.ts";
import { announce } from "./providing.ts";
import type { Message, RefusalCode } from "./wire.ts";

export function refusal(code: RefusalCode, heads: readonly Uint8Array[] = []): Message {
  return { t: "refused", code, heads };
}

/** Takes a blob in: judges the envelope, asks for the blocks that are not here, and makes it visible. */
export async function takeBlob(parts: Parts, talk: Channel, bytes: Uint8Array): Promise<Message> {
  const signed = await judged(parts, talk.peer, bytes);
  if (signed === undefined || hasExpired(signed.envelope, parts.clock.now())) return refusal("refused");
  const lacking = missingBlocks(parts, signed);
  try {
    await parts.blocks.reserve(lacking.reduce((sum, { size }) => sum + size, 0));
  } catch (error) {
    if (errorCode(error) !== "dht-storage/full") throw error;
    return refusal("full");
  }
  if (lacking.length > 0) await receive(parts, talk, lacking);
  if (!(await parts.envelopes.commit(signed, { verified: false }))) return refusal("refused");
  announce(parts, signed.envelope.addr);
  return { t: "ack" };
}

/** The blocks of a blob that this disk does not hold, each once. */
export function missingBlocks({ blocks }: Parts, { envelope }: SignedEnvelope): readonly Block[] {
  const byHash = new Map(blocksOf(envelope).map((block) => [block.hash, block]));
  return [...byHash.values()].filter(({ hash }) => !blocks.has(hash));
}

/** Takes a head in, and answers with the known ones when it is not the newest. */
export async function takeHead(parts: Parts, peer: PeerId, bytes: Uint8Array): Promise<Message> {
  let signed: SignedHead;
  try {
    signed = await openHead(bytes, parts.cluster);
  } catch (error) {
    report(parts, peer, { problem: String(error) });
    return refusal("refused");
  }
  const standing = await mergeHead(parts, peer, signed);
  if (standing === "newer" || standing === "repeat") return { t: "ack" };
  const known = await parts.heads.highest(signed.head.lane);
  return refusal(
    standing,
    known.map((head) => head.bytes),
  );
}

/** Takes a verified head from a peer in, and says it when the author contradicts itself. */
export async function mergeHead(
  parts: Parts,
  peer: PeerId,
  signed: SignedHead,
): ReturnType<Parts["heads"]["take"]> {
  const standing = await parts.heads.take(signed);
  const { lane, seq, author } = signed.head;
  if (standing === "contradiction")
    parts.logger.error("an author signed two heads with one number", { lane, seq, author, peer });
  if (standing === "foreign")
    parts.logger.warn("a head of a lane that belongs to another author was refused", { lane, author, peer });
  return standing;
}

async function judged(parts: Parts, peer: PeerId, bytes: Uint8Array): Promise<SignedEnvelope | undefined> {
  try {
    const signed = await openEnvelope(bytes, limitsOf(parts));
    assertProtected(parts, signed);
    return signed;
  } catch (error) {
    report(parts, peer, { problem: String(error) });
    return undefined;
  }
}

/** In a closed mesh nothing is kept or read that was sealed for everybody. */
export function assertProtected({ keys }: Parts, { envelope }: SignedEnvelope): void {
  if (keys.level === "secret" && envelope.role === "open")
    throw new RefusedError("it is sealed to the key of an open mesh");
}

/** Brings the blocks in the order in which they are asked for here. */
async function receive(parts: Parts, talk: Channel, lacking: readonly Block[]): Promise<void> {
  await talk.send({ t: "need", hashes: lacking.map(({ hash }) => Buffer.from(hash, "hex")) });
  for (const { hash, size } of lacking) {
    const frame = await talk.next();
    if (!(frame instanceof Uint8Array)) throw new RefusedError("a block was expected");
    if (frame.length !== size || sha256Hex(frame) !== hash)
      throw new RefusedError("the block is not the one that was announced");
    await parts.blocks.add(hash, frame);
  }
}
