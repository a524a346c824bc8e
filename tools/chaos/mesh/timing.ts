/** Of the profile `lan`, as @chorus/election states it, in milliseconds. */
const LAN = { timeout: 2500, lease: 1500 } as const;

/** Cryptography, fsync and timers of ten peers on two cores. Time in which a peer could not run counts apart. */
const MARGIN_MS = 2500;

/**
 * Longest time without an admin, from the moment a majority can talk: the timeout that its members promised the old
 * admin, the spread of candidacies (a twentieth of the timeout for each rank, and chance), and two campaigns, of which
 * one may split the votes.
 */
export function electionBound(voters: number): number {
  const spread = ((voters - 1) * LAN.timeout) / 20 + LAN.timeout / 40;
  const campaign = LAN.timeout / 4 + spread;
  return LAN.timeout + spread + 2 * campaign + MARGIN_MS;
}

/** An admin that hears nobody is heard until its lease ends, and the promises count from then. */
export function deafBound(voters: number): number {
  return electionBound(voters) + LAN.lease;
}

/** Past this a stopped admin has lost its lease. */
export const PAST_LEASE_MS = LAN.lease + 200;

/**
 * Longest time until the mesh is whole again: a dial that went out before the heal gives up after 8 s, the next one
 * follows within 1.5 s, a connection whose gossip has died is replaced after 6 s; the rest is the margin.
 */
export const HEAL_MS = 8_000 + 1_500 + 6_000 + 2 * MARGIN_MS;

/** A whole mesh is watched for so long, and all that is said in this time has to arrive. */
export const CALM_MS = 2_500;
/** A message may be on its way for so long. */
export const FLIGHT_MS = 1_000;
