import { InvalidInputError, type PeerId } from "@chorus/kernel";
import { answersOf } from "./ask.ts";
import { sha256 } from "./blob-envelope.ts";
import type { Head, HeadDraft, HeadResult } from "./contract.ts";
import { EquivocationError, RollbackError } from "./errors.ts";
import { assertDraft, assertLane, openHead, sealHead, standing, type SignedHead } from "./head-record.ts";
import { report, type Parts } from "./parts.ts";
import { rank } from "./placement.ts";
import { spread, type Spread } from "./spread.ts";
import { mergeHead } from "./take-in.ts";

/** Connected peers that are asked for a lane: those that should hold it, and some that took their place. */
const ASKED = 8;

/** The head of a lane, after asking peers. @throws EquivocationError */
export async function readHead(parts: Parts, lane: string, signal: AbortSignal): Promise<Head | undefined> {
  assertLane(lane);
  await learn(parts, lane, signal);
  const known = await knownHeads(parts, lane);
  const [head] = known;
  if (head === undefined) return undefined;
  if (known.length > 1) throw new EquivocationError(lane, known);
  const { validUntil } = head;
  return validUntil !== undefined && validUntil <= parts.clock.now() ? undefined : head;
}

/** Signs, stores and copies a head. Calls for one lane must not overlap. */
export async function writeHead(parts: Parts, draft: HeadDraft, signal: AbortSignal): Promise<HeadResult> {
  const { signer, cluster, heads, copies, clock } = parts;
  const { lane, seq, cid, validUntil } = draft;
  assertDraft(draft, signer.peer);
  if (validUntil !== undefined && validUntil <= clock.now())
    throw new InvalidInputError("validUntil", "must be in the future");
  await learn(parts, lane, signal);
  const known = await heads.highest(lane);
  const [last] = known;
  const unsigned = {
    lane,
    seq,
    cid,
    author: signer.peer,
    prevHeadHash: last === undefined ? null : sha256(last.bytes),
    ...(validUntil === undefined ? {} : { validUntil }),
  };
  // Judged before it is signed: an honest author never signs two heads with one number.
  assertAccepted(headsOf(known), { ...unsigned, sig: new Uint8Array() });
  const same = known.find(({ head }) => head.seq === seq && head.cid === cid);
  const signed = same ?? (await sealHead(unsigned, signer, cluster));
  await heads.take(signed, () => copies.owe(headItem(lane)));
  assertAccepted(await knownHeads(parts, lane), signed.head);
  const durability = await spread(parts, headSpread(parts, signed), signal);
  // Those who refused it have said why, and what they said was taken in.
  assertAccepted(await knownHeads(parts, lane), signed.head);
  return { head: signed.head, ...durability };
}

/** The name of a lane's head in the list of what is owed. */
export function headItem(lane: string): string {
  return `head ${lane}`;
}

/** How a head on this disk is copied to others. */
export function headSpread(parts: Parts, { head, bytes }: SignedHead): Spread {
  return {
    item: headItem(head.lane),
    placementKey: `head ${head.lane}`,
    offer: (client) => client.offerHead(bytes),
    onRefused: async (peer, answer) => {
      for (const other of await openAll(parts, { peer, lane: head.lane }, answer.heads))
        await mergeHead(parts, peer, other);
    },
  };
}

/**
 * Asks peers for a lane and takes in what they know.
 * @throws EquivocationError when this peer knows no author of the lane and others name several
 */
async function learn(parts: Parts, lane: string, signal: AbortSignal): Promise<void> {
  const peers = rank(headItem(lane), parts.streams.peers()).slice(0, ASKED);
  const heard: { peer: PeerId; signed: SignedHead }[] = [];
  const question = {
    ask: (client: { heads(lane: string): Promise<readonly Uint8Array[]> }) => client.heads(lane),
  };
  for await (const { peer, answer } of answersOf(parts, peers, { ...question, atOnce: ASKED, signal }))
    for (const signed of await openAll(parts, { peer, lane }, answer)) heard.push({ peer, signed });
  const authors = new Set(heard.map(({ signed }) => signed.head.author));
  if (authors.size > 1 && (await parts.heads.highest(lane)).length === 0)
    throw new EquivocationError(lane, headsOf(heard.map(({ signed }) => signed)));
  for (const { peer, signed } of heard) await mergeHead(parts, peer, signed);
}

/** The verified ones among heads that a peer gave for a lane; others are reported. */
async function openAll(
  parts: Parts,
  from: { readonly peer: PeerId; readonly lane: string },
  heads: readonly Uint8Array[],
): Promise<readonly SignedHead[]> {
  const good: SignedHead[] = [];
  for (const bytes of heads)
    try {
      const signed = await openHead(bytes, parts.cluster);
      if (signed.head.lane === from.lane) good.push(signed);
      else report(parts, from.peer, { problem: "it is a head of another lane", lane: from.lane });
    } catch (error) {
      report(parts, from.peer, { problem: String(error), lane: from.lane });
    }
  return good;
}

/** @throws RollbackError, EquivocationError */
function assertAccepted(known: readonly Head[], head: Head): void {
  const { lane, seq } = head;
  const judged = standing(known, head);
  if (judged === "older") throw new RollbackError(lane, { seq, known: known[0]?.seq ?? 0 });
  const isDisputed = judged === "repeat" && known.length > 1;
  if (isDisputed || judged === "contradiction" || judged === "foreign")
    throw new EquivocationError(lane, known);
}

async function knownHeads({ heads }: Parts, lane: string): Promise<readonly Head[]> {
  return headsOf(await heads.highest(lane));
}

function headsOf(signed: readonly SignedHead[]): readonly Head[] {
  return signed.map(({ head }) => head);
}
