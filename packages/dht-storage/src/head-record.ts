import {
  decodeCanonical,
  encodeCanonical,
  InvalidInputError,
  parseCid,
  parsePeerId,
  verifySignature,
  type PeerId,
  type Signer,
} from "@chorus/kernel";
import type { Head, HeadDraft } from "./contract.ts";
import { RefusedError } from "./errors.ts";
import { bytesField, countField, fieldsOf, textField, type Fields } from "./shape.ts";

/** Design bound of a DHT record; a head needs about 500 bytes. */
const MAX_HEAD_BYTES = 4096;
const KEYS = ["lane", "seq", "cid", "prevHeadHash", "validUntil", "author", "sig"];
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,46}[a-z0-9])?$/;
const PEER = /^k51[a-z0-9]{59}$/;

/** A verified head with its encoded bytes, to be stored and passed on unchanged. */
export interface SignedHead {
  readonly head: Head;
  readonly bytes: Uint8Array;
}

/** How a head relates to the highest ones that are known of its lane. */
export type Standing = "newer" | "repeat" | "older" | "contradiction" | "foreign";

/** The cluster is part of the domain, so that a head of one mesh is no head of another. */
function domain(cluster: string): string {
  return `chorus/storage-head/1/${cluster}`;
}

export async function sealHead(
  unsigned: Omit<Head, "sig">,
  signer: Signer,
  cluster: string,
): Promise<SignedHead> {
  const sig = await signer.sign(domain(cluster), encodeCanonical(bodyOf(unsigned)));
  const head = { ...unsigned, sig };
  return { head, bytes: encodeCanonical({ ...bodyOf(unsigned), sig }) };
}

/** @throws RefusedError */
export async function openHead(bytes: Uint8Array, cluster: string): Promise<SignedHead> {
  let head: Head;
  try {
    head = parseHead(fieldsOf(decodeCanonical(bytes, { maxBytes: MAX_HEAD_BYTES, maxDepth: 2 }), KEYS));
    assertDraft(head, head.author);
  } catch (error) {
    throw new RefusedError(error instanceof Error ? error.message : "unreadable head", error);
  }
  const claim = { peer: head.author, domain: domain(cluster), bytes: encodeCanonical(bodyOf(head)) };
  if (!(await verifySignature({ ...claim, signature: head.sig })))
    throw new RefusedError("the signature is not the author's");
  return { head, bytes };
}

/** Checks a draft by `author`. @throws InvalidInputError */
export function assertDraft({ lane, seq, cid, validUntil }: HeadDraft, author: PeerId): void {
  const agent = assertLane(lane);
  if (PEER.test(agent) && agent !== author)
    throw new InvalidInputError("lane", "belongs to the peer it names, which is another one");
  if (!Number.isSafeInteger(seq) || seq < 1) throw new InvalidInputError("seq", "must be 1 or more");
  if (validUntil !== undefined && (!Number.isSafeInteger(validUntil) || validUntil < 0))
    throw new InvalidInputError("validUntil", "must be milliseconds since the epoch");
  parseCid(cid);
}

/** @returns the agent. @throws InvalidInputError */
export function assertLane(lane: string): string {
  const [project, task, role, agent, ...more] = lane.split("/");
  const named = [project, task, role].every((part) => part !== undefined && NAME.test(part));
  if (!named || agent === undefined || more.length > 0 || !(NAME.test(agent) || PEER.test(agent)))
    throw new InvalidInputError("lane", "must be project/task/role/agent, lower case");
  return agent;
}

/**
 * Judges a head. The highest seq wins; the same seq with another cid contradicts; another author than the one
 * who was seen first is foreign to the lane.
 * @param known heads of the lane with the highest seq that is known: none, one, or two that contradict
 */
export function standing(known: readonly Head[], head: Head): Standing {
  const [first] = known;
  if (first === undefined) return "newer";
  if (first.author !== head.author) return "foreign";
  if (head.seq !== first.seq) return head.seq > first.seq ? "newer" : "older";
  return known.some(({ cid }) => cid === head.cid) ? "repeat" : "contradiction";
}

function bodyOf(head: Omit<Head, "sig">): Omit<Head, "sig" | "validUntil"> & { validUntil: number | null } {
  const { lane, seq, cid, prevHeadHash, validUntil = null, author } = head;
  return { lane, seq, cid, prevHeadHash, validUntil, author };
}

function parseHead(map: Fields): Head {
  const validUntil = map["validUntil"] === null ? undefined : countField(map, "validUntil");
  return {
    lane: textField(map, "lane", 256),
    seq: countField(map, "seq"),
    cid: parseCid(map["cid"]),
    prevHeadHash: map["prevHeadHash"] === null ? null : bytesField(map, "prevHeadHash", 32),
    ...(validUntil === undefined ? {} : { validUntil }),
    author: parsePeerId(map["author"], "author"),
    sig: bytesField(map, "sig", 64),
  };
}
