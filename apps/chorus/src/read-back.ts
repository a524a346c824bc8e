import { cidOf, decodeCanonical, parseCid, parsePeerId, partsOfCid } from "@chorus/kernel";
import { type SignedDecision, verifyDecision } from "@chorus/ucxl";
import type { PeerClient } from "./client.ts";
import type { StoryResult } from "./task-story.ts";

const RAW = "application/vnd.ipld.raw";

/** What was fetched through a peer and checked here, without trusting it. */
export interface ReadBack {
  readonly signers: number;
  readonly evidence: number;
  readonly bytes: number;
}

/**
 * Resolves a decision through a peer that had no part in it, and checks it in this process: hash, signature, and the
 * hash of every piece of evidence.
 * @throws when anything does not hold
 */
export async function readBack(peer: PeerClient, result: StoryResult): Promise<ReadBack> {
  const { address, cid, signatures } = result.decision;
  const record = await peer.bytes(`/v1/ucxl/${address.slice("ucxl://".length)}`, RAW);
  const bundle = await peer.bytes(`/v1/blocks/${signatures}`, RAW);
  const verified = await verifyDecision(signedBy(record.bytes, bundle.bytes), {
    cid: parseCid(cid),
    address,
  });
  let bytes = record.bytes.length;
  for (const piece of verified.decision.evidence) {
    const block = await peer.bytes(`/v1/blocks/${piece.cid}`, RAW);
    if ((await cidOf(block.bytes, partsOfCid(piece.cid).codec)) !== piece.cid)
      throw new Error(`evidence ${piece.cid} does not have its hash`);
    bytes += block.bytes.length;
  }
  return { signers: verified.signers.length, evidence: verified.decision.evidence.length, bytes };
}

function signedBy(payload: Uint8Array, bundle: Uint8Array): SignedDecision {
  const signatures = asMap(decodeCanonical(bundle)).get("signatures");
  return {
    payloadType: "application/vnd.chorus.decision.v1+cbor",
    payload,
    signatures: (Array.isArray(signatures) ? signatures : []).map((item: unknown) => {
      const sig = asMap(item).get("sig");
      return {
        keyid: parsePeerId(asMap(item).get("keyid"), "keyid"),
        sig: sig instanceof Uint8Array ? sig : new Uint8Array(),
      };
    }),
  };
}

function asMap(value: unknown): Map<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}
