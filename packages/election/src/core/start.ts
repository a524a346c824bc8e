import type { PeerId } from "@chorus/kernel";
import { firstConfig } from "../config.ts";
import type { ElectionConfig, VoteState } from "../contract.ts";
import { ALL_RULES, type Rules } from "./rules.ts";
import type { State, Timing } from "./state.ts";

/** What {@link start} needs. */
export interface Start {
  readonly self: PeerId;
  readonly cluster: string;
  readonly role: "voter" | "observer";
  readonly voters: readonly PeerId[] | undefined;
  readonly timing: Timing;
  readonly stored: VoteState | undefined;
  readonly now: number;
  readonly seed: number;
  /** Only tests switch one off. @default all on */
  readonly rules?: Rules;
}

/** The state after a start: a lone voter may stand at once, others wait. */
export function start(from: Start): State {
  const { self, cluster, role, timing, stored, now, rules = ALL_RULES } = from;
  const config = stored?.config ?? initialConfig(from);
  const lone = config?.voters.length === 1;
  const patience =
    role === "observer" ? Infinity : lone ? 0 : timing.timeout * (1 + (from.seed % 100) / 1000);
  const held = !lone && stored !== undefined && rules.restartHold;
  return {
    self,
    cluster,
    timing,
    rules,
    role: role === "voter" ? "follower" : "observer",
    ...voteOf(stored),
    config,
    certificate: undefined,
    alive: false,
    resigned: 0,
    heardAt: -Infinity,
    holdUntil: held ? now + timing.timeout : -Infinity,
    deadline: now + patience,
    grants: [],
    votes: [],
    wonAt: -Infinity,
    leaseUntil: -Infinity,
    beatAt: Infinity,
    beatNumber: 0,
    rounds: [],
    announceAt: now,
    startedAt: now,
    uptimes: {},
    seed: from.seed,
  };
}

function voteOf(stored: VoteState | undefined): Pick<State, "term" | "votedFor"> {
  return { term: stored?.term ?? 0, votedFor: stored?.votedFor };
}

function initialConfig({ cluster, role, self, voters }: Start): ElectionConfig | undefined {
  const peers = voters ?? (role === "voter" ? [self] : undefined);
  return peers && firstConfig(cluster, peers);
}
