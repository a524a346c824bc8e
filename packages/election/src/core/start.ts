import type { PeerId } from "@chorus/kernel";
import { firstConfig, voterOf } from "../config.ts";
import type { ElectionConfig, VoteState } from "../contract.ts";
import type { Lineage } from "./lineage.ts";
import { ALL_RULES, type Rules } from "./rules.ts";
import type { Settings, State, Timing } from "./state.ts";

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
  /** @default one voter that founds a mesh of its own, a fixed configuration, no log */
  readonly settings?: Partial<Settings>;
  /** Only tests switch one off. @default all on */
  readonly rules?: Rules;
}

const DEFAULTS: Omit<Settings, "mayVote"> = {
  eligible: true,
  priority: 0,
  expect: 1,
  automatic: false,
  maxVoters: 7,
  promoteAfter: 60_000,
  demoteAfter: 600_000,
  hasLog: false,
};

/** The state after a start: a lone voter may stand at once, others wait. */
export function start(from: Start): State {
  const { self, cluster, timing, now, rules = ALL_RULES, stored } = from;
  const settings: Settings = { mayVote: from.role === "voter", ...DEFAULTS, ...from.settings };
  const lineage = lineageOf(from, settings);
  const votes = settings.mayVote && voterOf(lineage.config, self) !== undefined;
  const lone = lineage.config?.voters.length === 1;
  const held = !lone && stored !== undefined && rules.restartHold;
  const patience = lone ? 0 : timing.timeout * (1 + (from.seed % 100) / 1000);
  return {
    self,
    cluster,
    timing,
    rules,
    settings,
    ...lineage,
    role: votes ? "follower" : "observer",
    ...rememberedOf(stored),
    ...NOTHING_KNOWN,
    holdUntil: held ? now + timing.timeout : -Infinity,
    deadline: votes ? now + patience : Infinity,
    announceAt: now,
    startedAt: now,
    seed: from.seed,
  };
}

/** What a peer knows of the others when it starts. */
const NOTHING_KNOWN = {
  alive: false,
  suspected: false,
  resigned: 0,
  heardAt: -Infinity,
  last: { term: 0, index: 0 },
  reading: false,
  transfer: undefined,
  checking: undefined,
  grants: [],
  votes: [],
  wonAt: -Infinity,
  leaseUntil: -Infinity,
  beatAt: Infinity,
  beatNumber: 0,
  rounds: [],
  proposal: undefined,
  foreign: undefined,
  peers: {},
  acked: {},
} as const;

function rememberedOf(
  stored: VoteState | undefined,
): Pick<State, "term" | "votedFor" | "pledge" | "proposed" | "founded" | "certificate"> {
  const { term = 0, votedFor, pledge, proposed = 0, founded, certificate } = stored ?? {};
  return { term, votedFor, pledge, proposed, founded, certificate };
}

function lineageOf(from: Start, settings: Settings): Lineage {
  const { stored } = from;
  const config = stored?.config ?? initialConfig(from, settings);
  return { config, base: stored?.base ?? config, changes: stored?.changes ?? [] };
}

/** A witness founds nothing, and neither does one that waits for others to found a mesh with. */
function initialConfig(
  { cluster, self, voters }: Start,
  { mayVote, eligible, expect }: Settings,
): ElectionConfig | undefined {
  if (voters !== undefined) return firstConfig(cluster, voters);
  return mayVote && eligible && expect === 1 ? firstConfig(cluster, [self]) : undefined;
}
