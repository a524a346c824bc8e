import type { PeerId } from "@chorus/kernel";
import { quorumOf } from "../config.ts";
import type { Message } from "../wire.ts";
import { type Draft, raiseTerm, send, set, stepDown } from "./draft.ts";
import { ANNOUNCE_MS } from "./state.ts";

export function beat(draft: Draft): void {
  const { state, now } = draft;
  const number = state.beatNumber + 1;
  const round = { number, sentAt: now, acks: [] };
  set(draft, {
    beatNumber: number,
    beatAt: now + state.timing.beat,
    rounds: [...state.rounds.slice(-7), round],
  });
  draft.effects.push({ kind: "broadcast", message: { kind: "beat", term: state.term, number } });
  // The admin's own acknowledgement is its vote on the disk; alone in the configuration, that is the quorum.
  countAck(draft, state.self, { kind: "beat-ack", term: state.term, number });
}

export function countAck(draft: Draft, from: PeerId, ack: Message & { kind: "beat-ack" }): void {
  const { state } = draft;
  if (ack.term > state.term) {
    raiseTerm(draft, ack.term);
    return;
  }
  if (state.role !== "admin" || ack.term !== state.term || state.config === undefined) return;
  const quorum = quorumOf(state.config);
  let { leaseUntil } = state;
  const rounds = state.rounds.map((round) => {
    if (round.number !== ack.number || round.acks.includes(from)) return round;
    const acks = [...round.acks, from];
    if (acks.length >= quorum) leaseUntil = Math.max(leaseUntil, round.sentAt + state.timing.lease);
    return { ...round, acks };
  });
  set(draft, { rounds, leaseUntil });
}

/** The certificate alone: a beat would make a peer that refuses the certificate ask again, without end. */
export function answerProbe(draft: Draft, peer: PeerId): void {
  const { role, certificate } = draft.state;
  if (role === "admin" && certificate !== undefined) send(draft, peer, { kind: "certificate", certificate });
}

export function announce(draft: Draft): void {
  const { state, now } = draft;
  set(draft, { announceAt: now + ANNOUNCE_MS });
  draft.effects.push({ kind: "presence", uptimeMs: Math.floor(now - state.startedAt) });
  if (state.role === "admin" && state.certificate !== undefined)
    draft.effects.push({ kind: "announce", certificate: state.certificate });
}

export function onHandOver(draft: Draft): void {
  const { state, now } = draft;
  if (state.role !== "admin") return;
  stepDown(draft, "hand-over");
  set(draft, { deadline: now + 2 * state.timing.timeout, resigned: state.term });
  draft.effects.push({ kind: "broadcast", message: { kind: "resign", term: state.term } });
}
