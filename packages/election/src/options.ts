import { InvalidInputError, parsePeerId, type PeerId } from "@chorus/kernel";
import { MAX_VOTERS, voterOf } from "./config.ts";
import type { ElectedLog, ElectionOptions, VoteState } from "./contract.ts";
import type { Start } from "./core/start.ts";
import { PROFILES, type Settings, type State } from "./core/state.ts";
import { WrongStoreError } from "./errors.ts";
import { flag } from "./wire-parts.ts";

/** The options with every default in place. */
export interface Chosen extends Pick<Start, "cluster" | "role" | "voters" | "timing"> {
  readonly settings: Settings;
}

/** As in `@chorus/p2p`, whose mesh has the same name. */
const MAX_CLUSTER_CHARACTERS = 64;
const LONGEST_MS = Number.MAX_SAFE_INTEGER;

/** Callers need not be checked by a compiler, so nothing is taken as it is. @throws InvalidInputError naming the option */
export function parseOptions(options: ElectionOptions, log: ElectedLog | undefined): Chosen {
  const { cluster, voters, profile: name = "lan" } = options;
  const role = oneOf("role", options.role, ["voter", "observer"]);
  const profile = oneOf("profile", name, ["lan", "wan"]);
  if (typeof cluster !== "string" || cluster === "" || cluster.length > MAX_CLUSTER_CHARACTERS)
    throw new InvalidInputError("cluster", `must be 1 to ${MAX_CLUSTER_CHARACTERS} characters`);
  return {
    cluster,
    role,
    voters: voters === undefined ? undefined : parsePeers(voters),
    timing: PROFILES[profile],
    settings: { ...settingsOf(options), mayVote: role === "voter", hasLog: isLog(log) },
  };
}

function settingsOf(options: ElectionOptions): Omit<Settings, "mayVote" | "hasLog"> {
  const { eligible = true, policy = "fixed", priority = 0, expect = 1 } = options;
  const { promoteAfterMs = 60_000, demoteAfterMs = 600_000, maxVoters: most = MAX_VOTERS } = options;
  const maxVoters = within("maxVoters", most, [1, MAX_VOTERS]);
  return {
    eligible: flag(eligible, "eligible"),
    priority: within("priority", priority, [0, 100]),
    expect: within("expect", expect, [1, maxVoters]),
    automatic: oneOf("policy", policy, ["fixed", "automatic"]) === "automatic",
    maxVoters,
    promoteAfter: within("promoteAfterMs", promoteAfterMs, [0, LONGEST_MS]),
    demoteAfter: within("demoteAfterMs", demoteAfterMs, [0, LONGEST_MS]),
  };
}

function within(name: string, value: number, [least, most]: readonly [number, number]): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new InvalidInputError(name, `must be a whole number from ${least} to ${most}`);
  return value;
}

function oneOf<T extends string>(name: string, value: T, known: readonly T[]): T {
  if (!known.includes(value)) throw new InvalidInputError(name, `must be one of ${known.join(", ")}`);
  return value;
}

function parsePeers(voters: readonly PeerId[]): readonly PeerId[] {
  if (!Array.isArray(voters)) throw new InvalidInputError("voters", "must be a list of peers");
  return voters.map((voter) => parsePeerId(voter, "voters"));
}

/** A log that cannot answer would leave every candidate without votes. */
function isLog(log: ElectedLog | undefined): boolean {
  if (log === undefined) return false;
  for (const name of ["last", "mayVoteFor", "isCommittedIn"] as const)
    if (typeof log?.[name] !== "function") throw new InvalidInputError("log", `must have ${name}()`);
  return true;
}

/**
 * What was stored and what is asked for must fit. A voter that its configuration no longer names is an observer
 * that may be promoted again; an observer by choice that is named would be missing at every vote.
 */
export function checkFit(
  { self, config }: State,
  { cluster, role, voters }: Chosen,
  stored: VoteState | undefined,
): void {
  if (stored?.config !== undefined && stored.config.cluster !== cluster)
    throw new WrongStoreError("it belongs to another mesh", { stored: stored.config.cluster, cluster });
  const votes = voterOf(config, self) !== undefined;
  if (votes && role === "observer") refuse(stored, "observer", self);
  if (!votes && role === "voter" && voters !== undefined && stored?.config === undefined)
    throw new InvalidInputError("voters", "must contain this peer");
}

function refuse(stored: VoteState | undefined, role: string, peer: PeerId): never {
  if (stored?.config === undefined) throw new InvalidInputError("voters", "must not contain an observer");
  throw new WrongStoreError(`its voters do not allow the role ${role}`, { role, peer });
}
