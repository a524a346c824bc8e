import type { PeerId } from "@chorus/kernel";
import { isOlder, quorumOf, sameVoters, voterOf } from "../config.ts";
import type { AdminCert, ElectionConfig, LogPosition, SignedVote } from "../contract.ts";
import type { Message } from "../wire.ts";
import { become, broadcast, type Draft, patience, raiseTerm, rearm, send, set, toVoters } from "./draft.ts";
import { announce, beat } from "./leading.ts";
import { configsOf } from "./lineage.ts";
import { mayGrant, release } from "./promises.ts";
import type { LogQuestion, State } from "./state.ts";

type VoteRequest = Message & { kind: "vote-request" };

/** Asks who would vote before raising the term, so that a peer that was cut off disturbs nobody. */
export function stand(draft: Draft): void {
  const { state, now } = draft;
  if (voterOf(state.config, state.self)?.eligible !== true || !state.settings.eligible) {
    set(draft, { deadline: Infinity });
    return;
  }
  if (now < state.holdUntil) {
    set(draft, { deadline: state.holdUntil });
    return;
  }
  if (readsLog(draft)) return;
  askFirst(draft);
}

/** A candidate says where its log ends, and looks only when it stands. */
function readsLog(draft: Draft): boolean {
  const { settings, term } = draft.state;
  if (!settings.hasLog) return false;
  set(draft, { reading: true, deadline: draft.now + patience(draft) });
  draft.effects.push({ kind: "read-log", term });
  return true;
}

export function onLogPosition(draft: Draft, term: number, last: LogPosition): void {
  const { state } = draft;
  if (!state.reading || term !== state.term || state.role === "admin" || state.role === "observer") return;
  set(draft, { reading: false, last });
  if (state.transfer !== undefined) campaign(draft, "lead received");
  else if (!state.alive) askFirst(draft);
}

/** The leaving admin's word stands for the answers of the others: no pre-vote, no waiting. */
export function standAtOnce(draft: Draft): void {
  const { state, now } = draft;
  if (voterOf(state.config, state.self)?.eligible !== true || now < state.holdUntil) return;
  if (!readsLog(draft)) campaign(draft, "lead received");
}

function askFirst(draft: Draft): void {
  const { state, now } = draft;
  const { config, self, last } = state;
  if (config === undefined) return;
  become(draft, "pre-candidate", "deadline passed");
  set(draft, { grants: [], votes: [], deadline: now + patience(draft) });
  const { founding, cterm, version } = config;
  toVoters(draft, { kind: "pre-vote", term: state.term + 1, founding, cterm, version, last });
  countGrant(draft, self, state.term + 1);
}

export function countGrant(draft: Draft, from: PeerId, term: number): void {
  const { role, config, grants } = draft.state;
  if (role !== "pre-candidate" || config === undefined || term !== draft.state.term + 1) return;
  if (voterOf(config, from) === undefined) return;
  if (!grants.includes(from)) set(draft, { grants: [...grants, from] });
  if (draft.state.grants.length >= quorumOf(config)) campaign(draft, "quorum would vote");
}

function campaign(draft: Draft, cause: "quorum would vote" | "lead received"): void {
  const { state, now } = draft;
  const { config, self, last, transfer } = state;
  if (config === undefined || state.role === "candidate") return;
  const term = state.term + 1;
  become(draft, "candidate", cause);
  set(draft, { term, votedFor: self, votes: [], deadline: now + patience(draft), checking: undefined });
  draft.effects.push({ kind: "vote", candidate: self, term, config });
  const proof = transfer === undefined ? {} : { transfer };
  toVoters(draft, { kind: "vote-request", term, config, last, ...proof });
}

export function onPreVote(draft: Draft, from: PeerId, question: Message & { kind: "pre-vote" }): void {
  const { state } = draft;
  const granted = question.term > state.term && mayGrant(draft, from) && !outdated(state, question);
  const { term, last } = question;
  if (granted && asksLog(state))
    draft.effects.push({ kind: "check-log", question: { candidate: from, term, last } });
  else send(draft, from, { kind: "pre-vote-reply", term: granted ? term : state.term, granted });
}

export function onVoteRequest(draft: Draft, from: PeerId, request: VoteRequest): void {
  const { term, config, last, transfer } = request;
  // The signature was checked where the message came in.
  if (transfer !== undefined) release(draft, draft.state.certificate?.candidate, transfer.term);
  if (!mayTake(draft, from, request)) {
    refuse(draft, from);
    return;
  }
  if (term > draft.state.term) raiseTerm(draft, term);
  if (!asksLog(draft.state)) grant(draft, from, request);
  else if (draft.state.checking?.candidate !== from) {
    set(draft, { checking: { candidate: from, term } });
    draft.effects.push({ kind: "check-log", question: { candidate: from, term, last, config } });
  }
}

/** The term was on the disk before the log was asked, so no older admin has added to it since. */
export function onLogVerdict(draft: Draft, { candidate, term, config }: LogQuestion, granted: boolean): void {
  if (config === undefined) {
    const still = granted && term > draft.state.term && mayGrant(draft, candidate);
    send(draft, candidate, { kind: "pre-vote-reply", term: still ? term : draft.state.term, granted: still });
    return;
  }
  const { checking } = draft.state;
  if (checking?.term !== term || checking.candidate !== candidate) return;
  set(draft, { checking: undefined });
  const takes = granted && term === draft.state.term && mayTake(draft, candidate, { term, config });
  if (takes) grant(draft, candidate, { term, config });
  else refuse(draft, candidate);
}

function grant(
  draft: Draft,
  candidate: PeerId,
  { term, config }: Pick<VoteRequest, "term" | "config">,
): void {
  set(draft, { votedFor: candidate });
  rearm(draft);
  draft.effects.push({ kind: "vote", candidate, term, config });
}

function refuse(draft: Draft, candidate: PeerId): void {
  const signature = new Uint8Array();
  send(draft, candidate, { kind: "vote-reply", term: draft.state.term, granted: false, signature });
}

function asksLog({ settings, rules }: State): boolean {
  return settings.hasLog && rules.logCheck;
}

/** Whether the vote of this term may go there, as far as terms, promises and configurations say. */
function mayTake(
  draft: Draft,
  from: PeerId,
  { term, config }: Pick<VoteRequest, "term" | "config">,
): boolean {
  const { state } = draft;
  const free = term > state.term || state.votedFor === undefined || state.votedFor === from;
  const leads = state.role === "admin" && term === state.term;
  return (
    term >= state.term &&
    free &&
    !leads &&
    mayGrant(draft, from) &&
    !outdated(state, config) &&
    fits(state, config) &&
    // A second lock: no configuration is installed without entering the term that wrote it. A vote for one of this
    // term or later would be wasted, too: verifyCertificate takes none.
    config.cterm < term
  );
}

function outdated(state: State, config: { readonly cterm: number; readonly version: number }): boolean {
  return state.config !== undefined && state.rules.configCheck && isOlder(config, state.config);
}

/** Signing binds a vote to the candidate's configuration, so it must be one of those that this voter has seen proven. */
function fits(state: State, config: ElectionConfig): boolean {
  return configsOf(state)
    .slice(-2)
    .some((own) => sameVoters(own, config));
}

export function countVote(draft: Draft, term: number, vote: SignedVote): void {
  const { state } = draft;
  const { config, votes } = state;
  if (state.role !== "candidate" || term !== state.term || config === undefined) return;
  if (voterOf(config, vote.voter) === undefined || votes.some(({ voter }) => voter === vote.voter)) return;
  set(draft, { votes: [...votes, vote].toSorted((a, b) => (a.voter < b.voter ? -1 : 1)) });
  if (draft.state.votes.length >= quorumOf(config)) win(draft);
}

function win(draft: Draft): void {
  const { state, now } = draft;
  const { config, term, self, votes, rules } = state;
  if (config === undefined) return;
  const certificate: AdminCert = { config, term, candidate: self, votes };
  become(draft, "admin", "quorum voted");
  set(draft, {
    certificate,
    config: rules.configRewrite ? { ...config, cterm: term } : config,
    alive: true,
    suspected: false,
    transfer: undefined,
    wonAt: now,
    leaseUntil: rules.leaseStart ? -Infinity : now + state.timing.lease,
    rounds: [],
    proposal: undefined,
  });
  broadcast(draft, { kind: "certificate", certificate });
  announce(draft);
  beat(draft);
}
