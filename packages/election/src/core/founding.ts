import type { PeerId } from "@chorus/kernel";
import { firstConfig, sameVoters } from "../config.ts";
import type { ElectionConfig } from "../contract.ts";
import { ask, broadcast, type Draft, install, send, set } from "./draft.ts";
import { ABSENT_MS, type Proposal, type State } from "./state.ts";

/*
 * The first configuration of several voters needs the signatures of all of them, collected by the first by name,
 * and each signs one set at a time. A proposer may take its set back as long as it has not completed it itself:
 * nobody else collects, so nobody else can complete it. So no two completed sets overlap.
 */

/** With every announcement: begins a founding, repeats it, takes it back, or asks what became of it. */
export function found(draft: Draft): void {
  const { state, now } = draft;
  const { config, pledge, proposal, self } = state;
  if (config !== undefined || !founds(state)) return;
  if (pledge === undefined) begin(draft);
  else if (pledge.voters[0]?.peer !== self) inquire(draft, pledge);
  else if (proposal === undefined) collect(draft, pledge);
  else if (now >= proposal.since + ABSENT_MS) withdraw(draft, pledge);
  else collect(draft, pledge);
}

/**
 * Both words about a founding can be lost: that it is complete, which each of its voters can prove, and that it was
 * taken back, which the proposer says again to whoever still approves it.
 */
function inquire(draft: Draft, pledge: ElectionConfig): void {
  const [proposer] = pledge.voters;
  if (proposer !== undefined)
    draft.effects.push({ kind: "approve", to: proposer.peer, previous: undefined, config: pledge });
  for (const { peer } of pledge.voters) if (peer !== draft.state.self) ask(draft, peer);
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
  const config = firstConfig(cluster, names);
  set(draft, { pledge: config });
  collect(draft, config);
}

function collect(draft: Draft, config: ElectionConfig): void {
  const { self, proposal } = draft.state;
  if (proposal === undefined) {
    const since = draft.now;
    set(draft, {
      proposal: { kind: "founding", config, previous: undefined, approvals: [], since, open: true },
    });
    draft.effects.push({ kind: "approve", to: self, previous: undefined, config });
  }
  for (const { peer } of config.voters) if (peer !== self) send(draft, peer, { kind: "found", config });
}

function withdraw(draft: Draft, { founding, voters }: ElectionConfig): void {
  set(draft, { pledge: undefined, proposal: undefined });
  for (const { peer } of voters)
    if (peer !== draft.state.self) send(draft, peer, { kind: "withdraw", founding });
}

export function onFound(draft: Draft, from: PeerId, config: ElectionConfig): void {
  const { self, pledge } = draft.state;
  if (draft.state.config !== undefined || !founds(draft.state)) return;
  if (config.voters[0]?.peer !== from || !isFounding(draft.state, config)) return;
  if (pledge !== undefined && pledge.founding !== config.founding) {
    // Between two proposers the first by name goes on; what others proposed only they can take back.
    if (pledge.voters[0]?.peer !== self || self < from) return;
    withdraw(draft, pledge);
  }
  set(draft, { pledge: config });
  draft.effects.push({ kind: "approve", to: from, previous: undefined, config });
}

function isFounding(state: State, config: ElectionConfig): boolean {
  return config.voters.length >= state.settings.expect && isFoundingWith(state, config);
}

/** Whether this is how a mesh begins, with this peer as one of its voters. */
export function isFoundingWith({ self, cluster }: State, config: ElectionConfig): boolean {
  const names = config.voters.map(({ peer }) => peer);
  return names.includes(self) && config.cterm === 0 && sameVoters(config, firstConfig(cluster, names));
}

export function onWithdraw(draft: Draft, from: PeerId, founding: string): void {
  const { pledge } = draft.state;
  if (pledge?.founding === founding && pledge.voters[0]?.peer === from) set(draft, { pledge: undefined });
}

/** All have signed. */
export function complete(draft: Draft, { config, approvals }: Proposal): void {
  set(draft, { proposal: undefined });
  if (draft.state.config !== undefined || draft.state.pledge?.founding !== config.founding) return;
  const founded = { config, approvals };
  install(draft, { config, base: config, changes: [] });
  set(draft, { founded });
  // The others have it a moment later.
  set(draft, { deadline: draft.now + draft.state.timing.beat });
  broadcast(draft, { kind: "change", change: founded });
}
