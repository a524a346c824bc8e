import type { PeerId } from "@chorus/kernel";
import { voterOf } from "../config.ts";
import type { VoteState } from "../contract.ts";
import type { Message } from "../wire.ts";
import { type Draft, raiseTerm, stepDown } from "./draft.ts";
import {
  isKnownAdmin,
  lose,
  onBeat,
  onCertificate,
  onDisconnected,
  onPresence,
  onResign,
} from "./following.ts";
import { announce, answerProbe, beat, countAck, onHandOver } from "./leading.ts";
import type { Effect, Input, State } from "./state.ts";
import { countGrant, countVote, onPreVote, onVoteRequest, stand } from "./voting.ts";

/** What a step makes of its inputs. */
export interface Stepped {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/**
 * The election's rules: one input, the state after it and what to do. Pure: no clock, no I/O, no randomness.
 * Whatever of the vote changed is persisted before any other effect.
 */
export function step(before: State, input: Input, now: number): Stepped {
  const draft: Draft = { state: before, effects: [], now };
  apply(draft, input);
  const { state, effects } = draft;
  const changed =
    state.term !== before.term || state.votedFor !== before.votedFor || state.config !== before.config;
  if (!changed) return { state, effects };
  return { state, effects: [{ kind: "persist", state: remembered(before, state) }, ...effects] };
}

/** What goes to the disk. */
function remembered({ rules }: State, { term, votedFor, config }: State): VoteState {
  const vote = rules.persistedVote ? { term, votedFor } : { term: 0, votedFor: undefined };
  return {
    term: vote.term,
    ...(vote.votedFor === undefined ? {} : { votedFor: vote.votedFor }),
    ...(config === undefined ? {} : { config }),
  };
}

function apply(draft: Draft, input: Input): void {
  switch (input.kind) {
    case "tick":
      onTick(draft);
      return;
    case "message":
      onMessage(draft, input.from, input.message);
      return;
    case "certificate":
      onCertificate(draft, input.certificate, input.from);
      return;
    case "own-vote":
      countVote(draft, input.term, { voter: draft.state.self, signature: input.signature });
      return;
    case "presence":
      onPresence(draft, input.from, input.uptimeMs);
      return;
    case "connected":
      answerProbe(draft, input.peer);
      return;
    case "disconnected":
      onDisconnected(draft, input.peer);
      return;
    case "unreachable":
      if (isKnownAdmin(draft.state, input.peer)) lose(draft);
      return;
    case "hand-over":
      onHandOver(draft);
  }
}

function onTick(draft: Draft): void {
  const { now, state } = draft;
  if (now >= state.announceAt) announce(draft);
  const { role, deadline } = state;
  if (role === "admin") {
    const until = Math.max(state.leaseUntil, state.wonAt + state.timing.lease);
    if (now >= until) stepDown(draft, "lease lapsed");
    else if (now >= state.beatAt) beat(draft);
  } else if (now >= deadline) {
    if (state.alive) lose(draft);
    if (role !== "observer") stand(draft);
  }
}

function onMessage(draft: Draft, from: PeerId, message: Message): void {
  const { state } = draft;
  if (message.kind === "probe") answerProbe(draft, from);
  else if (message.kind === "beat") onBeat(draft, from, message);
  else if (message.kind === "resign") onResign(draft, from, message.term);
  // The rest is between voters: a stranger to the configuration can raise no term and give no vote.
  else if (state.role !== "observer" && voterOf(state.config, from) !== undefined)
    onVoterMessage(draft, from, message);
}

function onVoterMessage(draft: Draft, from: PeerId, message: Message): void {
  const refusedInNewerTerm = "granted" in message && !message.granted && message.term > draft.state.term;
  if (refusedInNewerTerm) raiseTerm(draft, message.term);
  else if (message.kind === "pre-vote") onPreVote(draft, from, message);
  else if (message.kind === "pre-vote-reply" && message.granted) countGrant(draft, from, message.term);
  else if (message.kind === "vote-request") onVoteRequest(draft, from, message);
  else if (message.kind === "vote-reply" && message.granted)
    countVote(draft, message.term, { voter: from, signature: message.signature });
  else if (message.kind === "beat-ack") countAck(draft, from, message);
}
