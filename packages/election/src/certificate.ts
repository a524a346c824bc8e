import { createHash } from "node:crypto";
import { encodeCanonical, type Signer, verifySignature } from "@chorus/kernel";
import { canonicalConfig, quorumOf, sameVoters, voterOf } from "./config.ts";
import type { AdminCert, ElectionConfig, SignedVote } from "./contract.ts";

const DOMAIN = "chorus/election-vote/1";

/** What a vote says. */
export type Ballot = Omit<AdminCert, "votes">;

/** Signs a vote. The caller has it on disk before, or two candidates may each get one in the same term. */
export function signBallot(ballot: Ballot, signer: Signer): Promise<Uint8Array> {
  return signer.sign(DOMAIN, ballotBytes(ballot));
}

/** True when the vote is the named voter's, for exactly this ballot. */
export function verifyVote(ballot: Ballot, vote: SignedVote): Promise<boolean> {
  return verifySignature({
    peer: vote.voter,
    domain: DOMAIN,
    bytes: ballotBytes(ballot),
    signature: vote.signature,
  });
}

/**
 * True when the certificate was voted for by a quorum of `config`'s voters, who all signed this very
 * configuration, term and candidate. Whether the term is the newest is not in a certificate: keep the highest
 * term seen. Never throws.
 */
export async function verifyCertificate(certificate: AdminCert, config: ElectionConfig): Promise<boolean> {
  const { candidate, votes } = certificate;
  const voters = new Set(votes.map((vote) => vote.voter));
  const fits =
    sameVoters(certificate.config, config) &&
    certificate.config.cterm < certificate.term &&
    voterOf(config, candidate)?.eligible === true &&
    voters.size === votes.length &&
    voters.size >= quorumOf(config) &&
    votes.every((vote) => voterOf(config, vote.voter) !== undefined);
  if (!fits) return false;
  const valid = await Promise.all(votes.map((vote) => verifyVote(certificate, vote)));
  return valid.every(Boolean);
}

function ballotBytes({ config, term, candidate }: Ballot): Uint8Array {
  const hash = createHash("sha256")
    .update(encodeCanonical(canonicalConfig(config)))
    .digest();
  return encodeCanonical({
    cluster: config.cluster,
    configVersion: config.version,
    config: new Uint8Array(hash),
    term,
    candidate,
  });
}
