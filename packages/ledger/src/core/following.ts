import { equalBytes } from "@chorus/kernel";
import { follows, type Position } from "../chain.ts";
import type { StoredEntry } from "../contract.ts";
import { commit, type Draft, refuse, set } from "./draft.ts";
import { type Input, lastOf, positionOf, type State } from "./state.ts";

/** Begins to compare this log with a leader's. */
export function follow(draft: Draft, term: number, elected: number): void {
  const { state } = draft;
  if (elected > term) refuse(draft, "a newer term is known");
  else if (term < state.term || term < lastOf(state).term) refuse(draft, "the term is behind the log");
  else {
    set(draft, { role: "follower", term, matched: undefined, copies: new Map() });
    ask(draft, lastOf(state));
  }
}

/** The uncommitted end is not the leader's. It stays until the leader's entries show from where on. */
export function rewind(draft: Draft, term: number): void {
  const { state } = draft;
  if (!isFollowing(state, term)) refuse(draft, "this peer does not follow that leader");
  else if (state.probe === undefined || state.probe.index === state.committed.index)
    refuse(draft, "committed entries differ");
  else ask(draft, state.committed);
}

/** The leader no longer has the entries that this log lacks. */
export function offer(draft: Draft, { term, mark, elected }: Input & { kind: "offer" }): void {
  const { state } = draft;
  if (elected > term) refuse(draft, "a newer term is known");
  else if (!isFollowing(state, term)) refuse(draft, "this peer does not follow that leader");
  else if (mark.index <= state.committed.index) refuse(draft, "the snapshot is behind the log");
  else if (isKnown(state, mark)) ask(draft, mark);
  else draft.effects.push({ kind: "fetch" });
}

/**
 * Takes the snapshot in place of the whole log. Nothing after its mark is kept: this log has another entry there or
 * none, so what follows was never committed.
 */
export function install(draft: Draft, { term, mark, elected }: Input & { kind: "install" }): void {
  const { state, rules } = draft;
  if (rules.termAfterFlush && elected > term) refuse(draft, "a newer term is known");
  else if (!isFollowing(state, term)) refuse(draft, "this peer does not follow that leader");
  else if (mark.index <= state.committed.index) refuse(draft, "the snapshot is behind the log");
  else if (isKnown(state, mark)) ask(draft, mark);
  else {
    set(draft, { committed: mark, tail: [] });
    draft.effects.push({ kind: "install", mark });
    ask(draft, mark);
  }
}

/** A log that holds a snapshot's last entry keeps what follows it: it may have acknowledged that. */
function isKnown(state: State, { index, checksum }: Position): boolean {
  const own = positionOf(state, index);
  return own !== undefined && equalBytes(own.checksum, checksum);
}

function ask(draft: Draft, probe: Position): void {
  set(draft, { probe, matched: undefined });
  draft.effects.push({ kind: "ask", probe, committed: draft.state.committed });
}

/** Takes entries of the leader; what is already here stays, what contradicts them goes. */
export function take(draft: Draft, input: Input & { kind: "entries" }): void {
  const { state, rules } = draft;
  const from = state.matched ?? state.probe;
  if (rules.termAfterFlush && input.elected > input.term) refuse(draft, "a newer term is known");
  else if (!isFollowing(state, input.term) || from === undefined)
    refuse(draft, "this peer does not follow that leader");
  else if (!isChain(from, input.entries)) refuse(draft, "an entry does not continue the log");
  else {
    const matched = input.entries.at(-1) ?? from;
    set(draft, { matched: { index: matched.index, term: matched.term, checksum: matched.checksum } });
    const fresh = input.entries.slice(knownOf(state, input.entries));
    const agreed = rules.commitMatchedOnly ? matched.index : Infinity;
    const upTo = Math.min(input.committed, agreed);
    if (!rules.flushFirst) acknowledge(draft);
    if (fresh.length > 0) store(draft, fresh, upTo);
    else commit(draft, Math.min(upTo, lastOf(draft.state).index));
    if (fresh.length === 0) acknowledge(draft);
  }
}

/** What is on the disk now counts for the leader. */
export function acknowledge(draft: Draft): void {
  const { matched } = draft.state;
  if (matched !== undefined) draft.effects.push({ kind: "acknowledge", index: matched.index });
}

function store(draft: Draft, fresh: readonly StoredEntry[], upTo: number): void {
  const { committed, tail } = draft.state;
  const keep = (fresh[0]?.index ?? 0) - 1;
  if (keep < committed.index) {
    draft.effects = [];
    refuse(draft, "committed entries differ");
    return;
  }
  const kept = tail.slice(0, keep - committed.index);
  set(draft, { tail: [...kept, ...fresh] });
  const end = Math.max(committed.index, Math.min(upTo, lastOf(draft.state).index));
  draft.effects.push({ kind: "store", keep, entries: fresh, committed: end });
  commit(draft, end);
}

function isFollowing({ role, term }: State, leader: number): boolean {
  return role === "follower" && term === leader;
}

function isChain(from: Position, entries: readonly StoredEntry[]): boolean {
  let at = from;
  for (const entry of entries) {
    if (!follows(at, entry)) return false;
    at = entry;
  }
  return true;
}

/** How many of the entries are already in this log. */
function knownOf(state: State, entries: readonly StoredEntry[]): number {
  const differs = entries.findIndex(({ index, checksum }) => {
    const own = positionOf(state, index);
    return own === undefined || !equalBytes(own.checksum, checksum);
  });
  return differs === -1 ? entries.length : differs;
}
