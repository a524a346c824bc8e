import type { PeerId } from "@chorus/kernel";
import { type Draft as Proposal, seal } from "../chain.ts";
import { commit, type Draft, refuse, set } from "./draft.ts";
import { type Input, lastOf, positionOf, RULES, type Rules, type State } from "./state.ts";

/** Opens a term with an entry of its own: what older terms left behind counts only below it. */
export function lead(draft: Draft, { self, term, elected }: Input & { kind: "lead" }): void {
  const last = lastOf(draft.state);
  if (elected > term) refuse(draft, "a newer term is known");
  else if (term < last.term || term < draft.state.term) refuse(draft, "the term is behind the log");
  else {
    const { fixed } = draft.state;
    const copies = new Map([[self, last.index]]);
    set(draft, { role: "leader", self, term, copies, probe: undefined, matched: undefined });
    if (fixed || last.term === term) advance(draft);
    else append(draft, [NOTHING]);
  }
}

/** The entry that opens a term. No proposal has an empty name, and no machine sees it. */
const NOTHING: Proposal = { id: "", command: new Uint8Array() };

export function append(draft: Draft, drafts: readonly Proposal[]): void {
  const { state } = draft;
  if (state.role !== "leader" || state.self === undefined) {
    refuse(draft, "this peer does not lead");
    return;
  }
  const last = lastOf(state);
  const entries = seal(last, state.term, drafts);
  set(draft, { tail: [...state.tail, ...entries] });
  // A sole voter's write is the quorum's: no one else could ever be elected with another log.
  const end = last.index + entries.length;
  const sole = state.voters.length === 1 && state.voters[0] === state.self;
  draft.effects.push({
    kind: "store",
    keep: last.index,
    entries,
    committed: sole ? end : state.committed.index,
  });
  if (sole) commit(draft, end);
}

/** This peer's disk, or a follower's, holds the leader's log up to an index. */
export function copied(draft: Draft, by: PeerId, index: number): void {
  const { copies } = draft.state;
  const known = copies.get(by) ?? 0;
  const upTo = Math.min(index, lastOf(draft.state).index);
  if (upTo > known) set(draft, { copies: new Map(copies).set(by, upTo) });
  advance(draft);
}

/** Commits what a quorum of the voters has, once an entry of this term is among it. */
export function advance(draft: Draft): void {
  const { state, rules } = draft;
  if (state.role !== "leader") return;
  const index = quorumIndex(state);
  const own = positionOf(state, index)?.term === state.term;
  if (own || state.fixed || !rules.ownTermFirst) commit(draft, index);
}

/**
 * True when an entry of the leader's term is committed and a quorum of the voters in force holds all that is: voters
 * that joined later may have been part of no quorum so far.
 */
export function isSettled(state: State, rules: Rules = RULES): boolean {
  const { role, term, fixed, committed } = state;
  const held = quorumIndex(state) >= committed.index || !rules.settledByVotersNow;
  return role === "leader" && (fixed || committed.term === term) && held;
}

/** The highest index that more than half of the voters hold. */
function quorumIndex({ voters, copies }: State): number {
  const held = voters.map((peer) => copies.get(peer) ?? 0).toSorted((a, b) => b - a);
  return held[Math.floor(held.length / 2)] ?? 0;
}
