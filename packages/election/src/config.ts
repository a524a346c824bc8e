import type { Canonical, PeerId } from "@chorus/kernel";
import { InvalidInputError } from "@chorus/kernel";
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
    cterm: 0,
    version: 1,
    voters: peers.map((peer) => ({ peer, eligible: true, priority: 0 })),
  };
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
    a.version === b.version &&
    a.voters.length === b.voters.length &&
    a.voters.every((voter, i) => sameVoter(voter, b.voters[i]))
  );
}

/** Configurations are ordered by the term of their writer, then by version (Schultz et al. 2021, section 3). */
export function isOlder(a: Pick<ElectionConfig, "cterm" | "version">, b: ElectionConfig): boolean {
  return a.cterm < b.cterm || (a.cterm === b.cterm && a.version < b.version);
}

/** The configuration as a value with one encoding. */
export function canonicalConfig(config: ElectionConfig): Canonical {
  return {
    cluster: config.cluster,
    cterm: config.cterm,
    version: config.version,
    voters: config.voters.map(({ peer, eligible, priority }) => ({ peer, eligible, priority })),
  };
}

function sameVoter(a: Voter, b: Voter | undefined): boolean {
  return b !== undefined && a.peer === b.peer && a.eligible === b.eligible && a.priority === b.priority;
}
