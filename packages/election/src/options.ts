import { InvalidInputError, type PeerId } from "@chorus/kernel";
import { MAX_VOTERS, voterOf } from "./config.ts";
import type { ElectionOptions, VoteState } from "./contract.ts";
import type { Settings, State } from "./core/state.ts";
import { WrongStoreError } from "./errors.ts";

/** Defaults applied, bounds checked. @throws InvalidInputError */
export function settingsOf(options: ElectionOptions, hasLog: boolean): Settings {
  const { role, eligible = true, priority = 0, expect = 1, maxVoters = MAX_VOTERS } = options;
  return {
    mayVote: role === "voter",
    eligible,
    priority: within("priority", priority, [0, 100]),
    expect: within("expect", expect, [1, MAX_VOTERS]),
    automatic: options.policy === "automatic",
    maxVoters: within("maxVoters", maxVoters, [1, MAX_VOTERS]),
    promoteAfter: within("promoteAfterMs", options.promoteAfterMs ?? 60_000, [0, Infinity]),
    demoteAfter: within("demoteAfterMs", options.demoteAfterMs ?? 600_000, [0, Infinity]),
    hasLog,
  };
}

function within(name: string, value: number, [least, most]: readonly [number, number]): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new InvalidInputError(name, `must be a whole number from ${least} to ${most}`);
  return value;
}

/**
 * What was stored and what is asked for must fit. A voter that its configuration no longer names is an observer
 * that may be promoted again; an observer by choice that is named would be missing at every vote.
 */
export function checkFit(
  { self, config }: State,
  { cluster, role, voters }: ElectionOptions,
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
