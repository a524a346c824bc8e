import { createHash } from "node:crypto";
import { type Canonical, encodeCanonical, InvalidInputError, type PeerId } from "@chorus/kernel";
import type { ElectionConfig, Voter } from "./contract.ts";

/** More voters make every commit slower without surviving more than anyone needs. */
export const MAX_VOTERS = 7;

/** The configuration a mesh starts with: every voter eligible, none preferred. */
export function firstConfig(cluster: string, voters: readonly PeerId[]): ElectionConfig {
  const peers = [...new Set(voters)].toSorted();
  if (peers.length === 0 || peers.length > MAX_VOTERS)
    throw new InvalidInputError("voters", `must be 1 to ${MAX_VOTERS} peers`);
  return {
    cluster,
    founding: foundingOf(cluster, peers),
    cterm: 0,
    version: 1,
    voters: peers.map((peer) => ({ peer, eligible: true, priority: 0 })),
  };
}

/** The same voters found the same mesh, however often they try: an unfinished founding can be taken up again. */
function foundingOf(cluster: string, voters: readonly PeerId[]): string {
  return createHash("sha256")
    .update(encodeCanonical({ cluster, voters: [...voters] }))
    .digest("hex");
}

/** Votes that any two quorums must share at least one of. */
export function quorumOf(config: ElectionConfig): number {
  return Math.floor(config.voters.length / 2) + 1;
}

export function voterOf(config: ElectionConfig | undefined, peer: PeerId): Voter | undefined {
  return config?.voters.find((voter) => voter.peer === peer);
}

/** Same mesh, version and voters: equal but for the term of the admin that last confirmed it. */
export function sameVoters(a: ElectionConfig, b: ElectionConfig): boolean {
  return (
    a.cluster === b.cluster &&
    a.founding === b.founding &&
    a.version === b.version &&
    a.voters.length === b.voters.length &&
    a.voters.every((voter, i) => sameVoter(voter, b.voters[i]))
  );
}

type Ordered = Pick<ElectionConfig, "cterm" | "version">;

/** Configurations are ordered by the term of their writer, then by version (Schultz et al. 2021, section 3). */
export function isOlder(a: Ordered, b: Ordered): boolean {
  return a.cterm < b.cterm || (a.cterm === b.cterm && a.version < b.version);
}

/** Voters that were added, removed or altered: any two majorities meet only when it is one. */
export function distance(a: ElectionConfig, b: ElectionConfig): number {
  const peers = new Set([...a.voters, ...b.voters].map(({ peer }) => peer));
  return [...peers].filter((peer) => !sameVoter(voterOf(a, peer), voterOf(b, peer))).length;
}

/** The configuration as a value with one encoding. */
export function canonicalConfig(config: ElectionConfig): Canonical {
  return {
    cluster: config.cluster,
    founding: config.founding,
    cterm: config.cterm,
    version: config.version,
    voters: config.voters.map(({ peer, eligible, priority }) => ({ peer, eligible, priority })),
  };
}

export function hashConfig(config: ElectionConfig): Uint8Array {
  const hash = createHash("sha256").update(encodeCanonical(canonicalConfig(config)));
  return new Uint8Array(hash.digest());
}

function sameVoter(a: Voter | undefined, b: Voter | undefined): boolean {
  return a?.peer === b?.peer && a?.eligible === b?.eligible && a?.priority === b?.priority;
}
