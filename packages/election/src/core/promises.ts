import type { PeerId } from "@chorus/kernel";
import { voterOf } from "../config.ts";
import { type Draft, set } from "./draft.ts";
import { configsOf } from "./lineage.ts";
import type { State } from "./state.ts";

/** A promise to a suspected admin ends this many leases after its last beat: two clocks may differ by an eleventh each. */
export const SUSPECTED_LEASES = 1.2;

/** A vote breaks no promise: the admin that was heard has no lease any more, and no restart hides one. */
export function mayGrant({ state, now }: Draft, candidate: PeerId): boolean {
  const { timing, suspected, rules } = state;
  const promise = suspected ? SUSPECTED_LEASES * timing.lease : timing.timeout;
  return (
    isEligible(state, candidate) &&
    (now >= state.heardAt + promise || !rules.stickiness) &&
    now >= state.holdUntil &&
    !(state.role === "admin" && now < state.leaseUntil)
  );
}

function isEligible(state: State, candidate: PeerId): boolean {
  return configsOf(state)
    .slice(-2)
    .some((config) => voterOf(config, candidate)?.eligible === true);
}

/** The promise was made to this admin, whose lease has ended by its own word. */
export function release(draft: Draft, admin: PeerId | undefined, term: number): boolean {
  const { certificate, role } = draft.state;
  const known = certificate?.candidate === admin && certificate?.term === term;
  if (admin === undefined || !known || role === "admin") return false;
  set(draft, { alive: false, resigned: term, heardAt: -Infinity });
  return true;
}
