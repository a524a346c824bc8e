import type { PeerId } from "@chorus/kernel";
import { firstConfig, sameVoters } from "../config.ts";
import type { ElectionConfig, Pledge } from "../contract.ts";
import type { Message } from "../wire.ts";
import { ask, broadcast, type Draft, install, send, set } from "./draft.ts";
import { ABSENT_MS, type Proposal, type State } from "./state.ts";

/*
 * The first configuration of several voters needs the signatures of all of them, collected by the first by name,
 * and each signs one set at a time. A proposer may take its set back as long as it has not completed it itself:
 * nobody else collects, so nobody else can complete it. What it proposes has a number that never comes again, and
 * both answers name it: an approval or a withdrawal that was long on its way says nothing about the same set asked for
 * anew. So no two completed sets overlap.
 */

/** With every announcement: begins a founding, repeats it, takes it back, or asks what became of it. */
export function found(draft: Draft): void {
  const { state, now } = draft;
  const { pledge, proposal, self } = state;
  if (!isUnfounded(state)) return;
  if (pledge === undefined) begin(draft);
  else if (proposerOf(pledge) !== self) inquire(draft, pledge);
  else if (proposal === undefined) collect(draft, pledge);
  else if (now >= proposal.since + ABSENT_MS) withdraw(draft, pledge);
  else collect(draft, pledge);
}

/**
 * Both words about a founding can be lost: that it is complete, which each of its voters can prove, and that it was
 * taken back, which the proposer says again to whoever still approves it.
 */
function inquire(draft: Draft, pledge: Pledge): void {
  const proposer = proposerOf(pledge);
  if (proposer !== undefined)
    draft.effects.push({ kind: "approve", to: proposer, previous: undefined, ...pledge });
  for (const { peer } of pledge.config.voters) if (peer !== draft.state.self) ask(draft, peer);
}

function proposerOf({ config }: Pledge): PeerId | undefined {
  return config.voters[0]?.peer;
}

/** Whether this peer waits for others to begin a mesh with. */
export function isUnfounded(state: State): boolean {
  return state.config === undefined && founds(state);
}

function founds({ settings }: State): boolean {
  return settings.mayVote && settings.eligible && settings.expect > 1;
}

function begin(draft: Draft): void {
  const { state, now } = draft;
  const { self, cluster, settings } = state;
  const there = Object.values(state.peers).filter(
    ({ wants, eligible, founding, at }) => wants && eligible && founding === "" && now - at <= ABSENT_MS,
  );
  const names = [self, ...there.map(({ peer }) => peer)].toSorted().slice(0, settings.expect);
  if (names.length < settings.expect || names[0] !== self) return;
  const number = state.proposed + 1;
  const pledge = { config: firstConfig(cluster, names), number };
  set(draft, { pledge, proposed: number });
  collect(draft, pledge);
}

function collect(draft: Draft, { config, number }: Pledge): void {
  const { self, proposal } = draft.state;
  if (proposal === undefined) {
    const since = draft.now;
    set(draft, {
      proposal: { kind: "founding", config, previous: undefined, approvals: [], since, open: true },
    });
    draft.effects.push({ kind: "approve", to: self, previous: undefined, config, number });
  }
  for (const { peer } of config.voters)
    if (peer !== self) send(draft, peer, { kind: "found", config, number });
}

function withdraw(draft: Draft, { config, number }: Pledge): void {
  const { founding, voters } = config;
  set(draft, { pledge: undefined, proposal: undefined });
  for (const { peer } of voters)
    if (peer !== draft.state.self) send(draft, peer, { kind: "withdraw", founding, number });
}

export function onFound(draft: Draft, from: PeerId, asked: Pledge): void {
  if (!mayPledge(draft.state, from, asked)) return;
  const { pledge } = draft.state;
  const { config, number } = asked;
  const again = pledge?.config.founding === config.founding;
  if (pledge !== undefined && !again) withdraw(draft, pledge);
  if (!again || pledge.number < number) set(draft, { pledge: { config, number } });
  draft.effects.push({ kind: "approve", to: from, previous: undefined, config, number });
}

/**
 * Between two proposers the first by name goes on; what others proposed only they can take back. They have, where they
 * ask for the same set anew, and then what was asked before and comes late is no more.
 */
function mayPledge(state: State, from: PeerId, { config, number }: Pledge): boolean {
  const { pledge, self } = state;
  if (!isUnfounded(state)) return false;
  if (config.voters[0]?.peer !== from || !isFounding(state, config)) return false;
  if (pledge === undefined) return true;
  if (pledge.config.founding === config.founding) return pledge.number <= number;
  return proposerOf(pledge) === self && from < self;
}

function isFounding(state: State, config: ElectionConfig): boolean {
  return config.voters.length >= state.settings.expect && isFoundingWith(state, config);
}

/** Whether this is how a mesh begins, with this peer as one of its voters. */
export function isFoundingWith({ self, cluster }: State, config: ElectionConfig): boolean {
  const names = config.voters.map(({ peer }) => peer);
  return names.includes(self) && config.cterm === 0 && sameVoters(config, firstConfig(cluster, names));
}

export function onWithdraw(
  draft: Draft,
  from: PeerId,
  { founding, number }: Message & { kind: "withdraw" },
): void {
  const { pledge } = draft.state;
  if (pledge === undefined || pledge.config.founding !== founding || proposerOf(pledge) !== from) return;
  if (pledge.number <= number) set(draft, { pledge: undefined });
}

/** All have signed. */
export function complete(draft: Draft, { config, approvals }: Proposal): void {
  set(draft, { proposal: undefined });
  if (draft.state.config !== undefined || draft.state.pledge?.config.founding !== config.founding) return;
  const founded = { config, approvals };
  install(draft, { config, base: config, changes: [] });
  set(draft, { founded });
  // The others have it a moment later.
  set(draft, { deadline: draft.now + draft.state.timing.beat });
  broadcast(draft, { kind: "change", change: founded });
}
