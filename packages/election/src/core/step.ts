import type { PeerId } from "@chorus/kernel";
import { voterOf } from "../config.ts";
import type { VoteState } from "../contract.ts";
import type { Message } from "../wire.ts";
import { answerProbe, catchUp } from "./catching-up.ts";
import { countApproval, onApproval, onCommitVerdict, onPropose, propose, pursue } from "./changing.ts";
import { ask, type Draft, raiseTerm } from "./draft.ts";
import { lose, onBeat, onCertificate, onChange, onDisconnected, onUnreachable } from "./following.ts";
import { found, onFound, onWithdraw } from "./founding.ts";
import { onHandOver, onResign, onTransfer } from "./handing-over.ts";
import { announce, beat, checkLease, countAck, onResumed } from "./leading.ts";
import { configsOf } from "./lineage.ts";
import { onPresence } from "./members.ts";
import { policyOf } from "./policy.ts";
import { type Effect, type Input, MAX_LEAP, type State } from "./state.ts";
import {
  countGrant,
  countVote,
  onLogPosition,
  onLogVerdict,
  onPreVote,
  onVoteRequest,
  stand,
} from "./voting.ts";

/** What a step makes of its inputs. */
export interface Stepped {
  readonly state: State;
  readonly effects: readonly Effect[];
}

const KEPT = [
  "term",
  "votedFor",
  "config",
  "base",
  "changes",
  "pledge",
  "proposed",
  "founded",
  "certificate",
] as const;

/**
 * The election's rules: one input, the state after it and what to do. Pure: no clock, no I/O, no randomness.
 * Whatever of the vote changed is persisted before any other effect.
 */
export function step(before: State, input: Input, now: number): Stepped {
  const draft: Draft = { state: before, effects: [], now };
  apply(draft, input);
  const { state, effects } = draft;
  if (KEPT.every((key) => state[key] === before[key])) return { state, effects };
  return { state, effects: [{ kind: "persist", state: remembered(state) }, ...effects] };
}

/** What goes to the disk. */
function remembered(state: State): VoteState {
  const { rules, term, votedFor, config, base, changes, pledge, proposed, founded, certificate } = state;
  const voted = rules.persistedVote && votedFor !== undefined ? { votedFor } : {};
  return {
    term: rules.persistedVote ? term : 0,
    ...voted,
    ...(config === undefined ? {} : { config }),
    ...(base === undefined ? {} : { base }),
    ...(changes.length === 0 ? {} : { changes }),
    ...(pledge === undefined ? {} : { pledge }),
    ...(proposed === 0 ? {} : { proposed }),
    ...(founded === undefined ? {} : { founded }),
    ...(certificate === undefined ? {} : { certificate }),
  };
}

type Handlers = { readonly [K in Input["kind"]]: (draft: Draft, input: Extract<Input, { kind: K }>) => void };

const HANDLERS: Handlers = {
  tick: onTick,
  message: (draft, { from, message }) => onMessage(draft, from, message),
  certificate: (draft, { certificate, from }) => onCertificate(draft, certificate, from),
  change: (draft, { change, previous }) => onChange(draft, change, previous),
  "own-vote": (draft, { term, signature }) => countVote(draft, term, { voter: draft.state.self, signature }),
  "own-approval": (draft, { config, signature }) =>
    countApproval(draft, config, { voter: draft.state.self, signature }),
  "log-position": (draft, { term, last }) => onLogPosition(draft, term, last),
  "log-verdict": (draft, { question, granted }) => onLogVerdict(draft, question, granted),
  "commit-verdict": (draft, { term, committed }) => onCommitVerdict(draft, term, committed),
  presence: onPresence,
  reconfigure: (draft, { voters }) => propose(draft, voters),
  connected: (draft, { peer }) => onConnected(draft, peer),
  disconnected: (draft, { peer }) => onDisconnected(draft, peer),
  unreachable: (draft, { peer }) => onUnreachable(draft, peer),
  resumed: onResumed,
  "hand-over": onHandOver,
};

function apply<K extends Input["kind"]>(draft: Draft, input: Extract<Input, { kind: K }>): void {
  const handler: (draft: Draft, input: Extract<Input, { kind: K }>) => void = HANDLERS[input.kind];
  handler(draft, input);
}

function onConnected(draft: Draft, peer: PeerId): void {
  const { role, alive, config } = draft.state;
  if (role === "admin") answerProbe(draft, peer, { founding: "", version: 0 });
  else if (!alive) ask(draft, peer);
  // Those that wait for a founding find each other by their announcements.
  if (config === undefined) announce(draft);
}

function onTick(draft: Draft): void {
  const { now } = draft;
  if (now >= draft.state.announceAt) {
    announce(draft);
    found(draft);
  }
  const { role, deadline, alive } = draft.state;
  if (role === "admin") {
    lead(draft);
  } else if (now >= deadline) {
    if (alive) lose(draft);
    if (role !== "observer") stand(draft);
  }
}

function lead(draft: Draft): void {
  checkLease(draft);
  if (draft.state.role !== "admin" || draft.now < draft.state.beatAt) return;
  beat(draft);
  pursue(draft);
  const wanted = policyOf(draft.state, draft.now);
  if (wanted?.kind === "voters") propose(draft, wanted.voters);
  else if (wanted?.kind === "renew") onHandOver(draft);
}

function onMessage(draft: Draft, from: PeerId, message: Message): void {
  const { state } = draft;
  if ("term" in message && message.term > state.term + MAX_LEAP) return;
  if (message.kind === "probe") answerProbe(draft, from, message);
  else if (message.kind === "beat") onBeat(draft, from, message);
  else if (message.kind === "resign") onResign(draft, from, message);
  else if (message.kind === "found") onFound(draft, from, message);
  else if (message.kind === "withdraw") onWithdraw(draft, from, message);
  else if (message.kind === "approval") onApproval(draft, from, message);
  else {
    catchUp(draft, from, message);
    // The rest is between voters: a stranger to the configuration can raise no term and give no vote.
    if (state.role !== "observer" && isVoterHere(state, from)) onVoterMessage(draft, from, message);
  }
}

/** Also by the configuration before: the newest may have reached no majority. */
function isVoterHere(state: State, peer: PeerId): boolean {
  return configsOf(state)
    .slice(-2)
    .some((config) => voterOf(config, peer) !== undefined);
}

function onVoterMessage(draft: Draft, from: PeerId, message: Message): void {
  if (message.kind === "pre-vote") onPreVote(draft, from, message);
  else if (message.kind === "vote-request") onVoteRequest(draft, from, message);
  else if (message.kind === "pre-vote-reply" || message.kind === "vote-reply") onReply(draft, from, message);
  else if (message.kind === "beat-ack") countAck(draft, from, message);
  else if (message.kind === "propose") onPropose(draft, from, message);
  else if (message.kind === "transfer") onTransfer(draft, from, message);
}

function onReply(
  draft: Draft,
  from: PeerId,
  message: Message & { kind: "pre-vote-reply" | "vote-reply" },
): void {
  const { term, granted } = message;
  if (!granted) learn(draft, term);
  else if (message.kind === "pre-vote-reply") countGrant(draft, from, term);
  else countVote(draft, term, { voter: from, signature: message.signature });
}

function learn(draft: Draft, term: number): void {
  if (term > draft.state.term) raiseTerm(draft, term);
}
