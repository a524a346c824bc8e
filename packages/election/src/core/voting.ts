import type { PeerId } from "@chorus/kernel";
import { isOlder, quorumOf, sameVoters, voterOf } from "../config.ts";
import type { AdminCert, SignedVote } from "../contract.ts";
import type { Message } from "../wire.ts";
import { become, type Draft, patience, raiseTerm, rearm, send, set, toVoters } from "./draft.ts";
import { announce, beat } from "./leading.ts";
import type { State } from "./state.ts";

/** Asks who would vote before raising the term, so that a peer that was cut off disturbs nobody. */
export function stand(draft: Draft): void {
  const { state, now } = draft;
  const { config, self, holdUntil } = state;
  if (config === undefined || voterOf(config, self)?.eligible !== true) {
    set(draft, { deadline: Infinity });
    return;
  }
  if (now < holdUntil) {
    set(draft, { deadline: holdUntil });
    return;
  }
  become(draft, "pre-candidate", "deadline passed");
  set(draft, { grants: [], votes: [], deadline: now + patience(draft) });
  toVoters(draft, {
    kind: "pre-vote",
    term: state.term + 1,
    cterm: config.cterm,
    version: config.version,
  });
  countGrant(draft, self, state.term + 1);
}

export function countGrant(draft: Draft, from: PeerId, term: number): void {
  const { role, config, grants } = draft.state;
  if (role !== "pre-candidate" || config === undefined || term !== draft.state.term + 1) return;
  if (!grants.includes(from)) set(draft, { grants: [...grants, from] });
  if (draft.state.grants.length >= quorumOf(config)) campaign(draft);
}

function campaign(draft: Draft): void {
  const { state, now } = draft;
  const { config, self } = state;
  if (config === undefined) return;
  const term = state.term + 1;
  become(draft, "candidate", "quorum would vote");
  set(draft, { term, votedFor: self, deadline: now + patience(draft) });
  draft.effects.push({ kind: "vote", candidate: self, term, config });
  toVoters(draft, { kind: "vote-request", term, config });
}

export function onPreVote(draft: Draft, from: PeerId, question: Message & { kind: "pre-vote" }): void {
  const { state } = draft;
  const granted = question.term > state.term && mayGrant(draft, from) && !outdated(state, question);
  send(draft, from, { kind: "pre-vote-reply", term: granted ? question.term : state.term, granted });
}

export function onVoteRequest(draft: Draft, from: PeerId, request: Message & { kind: "vote-request" }): void {
  const { term, config } = request;
  const refused =
    term < draft.state.term ||
    !mayGrant(draft, from) ||
    outdated(draft.state, config) ||
    !fits(draft.state, request);
  if (!refused && term > draft.state.term) raiseTerm(draft, term);
  const { state } = draft;
  const free = state.votedFor === undefined || state.votedFor === from;
  if (refused || !free || state.role === "admin") {
    send(draft, from, { kind: "vote-reply", term: state.term, granted: false, signature: new Uint8Array() });
    if (state.certificate !== undefined && outdated(state, config))
      send(draft, from, { kind: "certificate", certificate: state.certificate });
    return;
  }
  set(draft, { votedFor: from });
  rearm(draft);
  draft.effects.push({ kind: "vote", candidate: from, term, config });
}

/** A vote breaks no promise: no admin was heard within a timeout, and no restart hides one. */
function mayGrant({ state, now }: Draft, candidate: PeerId): boolean {
  return (
    voterOf(state.config, candidate)?.eligible === true &&
    (now >= state.heardAt + state.timing.timeout || !state.rules.stickiness) &&
    now >= state.holdUntil &&
    !(state.role === "admin" && now < state.leaseUntil)
  );
}

function outdated(state: State, config: { readonly cterm: number; readonly version: number }): boolean {
  return state.config !== undefined && state.rules.configCheck && isOlder(config, state.config);
}

/** Signing binds a vote to the candidate's configuration, so it must be about the same voters as ours. */
function fits(state: State, { config, term }: Message & { kind: "vote-request" }): boolean {
  return state.config !== undefined && sameVoters(config, state.config) && config.cterm < term;
}

export function countVote(draft: Draft, term: number, vote: SignedVote): void {
  const { state } = draft;
  const { config, votes } = state;
  if (state.role !== "candidate" || term !== state.term || config === undefined) return;
  if (votes.some(({ voter }) => voter === vote.voter)) return;
  set(draft, { votes: [...votes, vote].toSorted((a, b) => (a.voter < b.voter ? -1 : 1)) });
  if (draft.state.votes.length >= quorumOf(config)) win(draft);
}

function win(draft: Draft): void {
  const { state, now } = draft;
  const { config, term, self, votes } = state;
  if (config === undefined) return;
  const certificate: AdminCert = { config, term, candidate: self, votes };
  become(draft, "admin", "quorum voted");
  set(draft, {
    certificate,
    config: draft.state.rules.configRewrite ? { ...config, cterm: term } : config,
    alive: true,
    wonAt: now,
    leaseUntil: draft.state.rules.leaseStart ? -Infinity : now + draft.state.timing.lease,
    rounds: [],
  });
  draft.effects.push({ kind: "broadcast", message: { kind: "certificate", certificate } });
  announce(draft);
  beat(draft);
}
