import type { PeerId } from "@chorus/kernel";
import { voterOf } from "../config.ts";
import type { Voter } from "../contract.ts";
import { MAX_CHANGES_A_TERM } from "./lineage.ts";
import { ABSENT_MS, type Seen, type State } from "./state.ts";

/** What the admin does about its voters, if anything. */
export type Policy =
  | { readonly kind: "voters"; readonly voters: readonly Voter[] }
  /** So much was changed in this term that a new certificate is due. */
  | { readonly kind: "renew" };

/**
 * One step towards the right voters: dead ones go, stable peers come. Two come together, as an even number
 * survives no more than the odd one below it and has one more to lose.
 */
export function policyOf(state: State, now: number): Policy | undefined {
  const { settings, config, certificate, proposal } = state;
  const steady = state.role === "admin" && now < state.leaseUntil && proposal === undefined;
  if (!settings.automatic || !steady || config === undefined || certificate === undefined) return undefined;
  const voters = altered(state) ?? withoutDead(state, now) ?? withStable(state, now);
  if (voters === undefined) return undefined;
  const changes = config.version - certificate.config.version;
  return changes >= MAX_CHANGES_A_TERM ? { kind: "renew" } : { kind: "voters", voters };
}

/** A voter that came back as a witness, or with another priority. */
function altered({ config, peers, self }: State): readonly Voter[] | undefined {
  const voters = config?.voters ?? [];
  const other = voters.find((voter) => {
    const seen = peers[voter.peer];
    const differs = seen?.eligible !== voter.eligible || seen.priority !== voter.priority;
    return seen?.wants === true && differs && voter.peer !== self;
  });
  const seen = other && peers[other.peer];
  if (other === undefined || seen === undefined) return undefined;
  const now = { peer: other.peer, eligible: seen.eligible, priority: seen.priority };
  return voters.map((voter) => (voter === other ? now : voter));
}

function withoutDead(state: State, now: number): readonly Voter[] | undefined {
  const { config, self, settings } = state;
  const voters = config?.voters ?? [];
  if (voters.length - 1 < Math.floor(settings.expect / 2) + 1) return undefined;
  const longest = voters
    .filter(({ peer }) => peer !== self)
    .map((voter) => ({ voter, at: lastSign(state, voter.peer) }))
    .toSorted((a, b) => a.at - b.at)[0];
  if (longest === undefined || now - longest.at < settings.demoteAfter) return undefined;
  return voters.filter((voter) => voter !== longest.voter);
}

function lastSign({ peers, acked, startedAt }: State, peer: PeerId): number {
  return Math.max(startedAt, peers[peer]?.at ?? -Infinity, acked[peer]?.at ?? -Infinity);
}

function withStable(state: State, now: number): readonly Voter[] | undefined {
  const { config, settings } = state;
  const voters = config?.voters ?? [];
  const odd = voters.length % 2 === 1;
  const room = settings.maxVoters - voters.length;
  const stable = Object.values(state.peers)
    .filter((seen) => isStable(state, seen, now) && voterOf(config, seen.peer) === undefined)
    .toSorted(
      (a, b) =>
        Number(b.eligible) - Number(a.eligible) ||
        b.priority - a.priority ||
        a.since - b.since ||
        (a.peer < b.peer ? -1 : 1),
    );
  const [first] = stable;
  const needed = odd ? 2 : 1;
  if (first === undefined || stable.length < needed || room < needed) return undefined;
  return [...voters, { peer: first.peer, eligible: first.eligible, priority: first.priority }];
}

function isStable({ config, settings }: State, seen: Seen, now: number): boolean {
  return (
    seen.wants &&
    seen.founding === config?.founding &&
    now - seen.at <= ABSENT_MS &&
    seen.at - seen.since >= settings.promoteAfter
  );
}
