import type { PeerId } from "@chorus/kernel";
import { quorumOf, voterOf } from "../config.ts";
import type { Message } from "../wire.ts";
import { broadcast, type Draft, raiseTerm, set, stepDown } from "./draft.ts";
import { isUnfounded } from "./founding.ts";
import { ANNOUNCE_MS, type State } from "./state.ts";

type Ack = Message & { kind: "beat-ack" };

export function beat(draft: Draft): void {
  const { state, now } = draft;
  const number = state.beatNumber + 1;
  const round = { number, sentAt: now, acks: [] };
  set(draft, {
    beatNumber: number,
    beatAt: now + state.timing.beat,
    rounds: [...state.rounds.slice(-7), round],
  });
  const { term, config } = state;
  const { version, cterm } = config ?? { version: 0, cterm: 0 };
  broadcast(draft, { kind: "beat", term, number, version });
  // The admin's own acknowledgement is its vote on the disk; alone in the configuration, that is the quorum.
  countAck(draft, state.self, { kind: "beat-ack", term, number, cterm, version });
}

export function countAck(draft: Draft, from: PeerId, ack: Ack): void {
  const { state, now } = draft;
  if (ack.term > state.term) {
    raiseTerm(draft, ack.term);
    return;
  }
  if (state.role !== "admin" || ack.term !== state.term || voterOf(state.config, from) === undefined) return;
  const { cterm, version } = ack;
  set(draft, {
    ...counted(state, from, ack.number),
    acked: { ...state.acked, [from]: { at: now, cterm, version } },
  });
}

/** The lease counts from the sending of a beat that a quorum of the present voters acknowledged. */
function counted(state: State, from: PeerId, number: number): Pick<State, "rounds" | "leaseUntil"> {
  const quorum = state.config === undefined ? Infinity : quorumOf(state.config);
  let { leaseUntil } = state;
  const rounds = state.rounds.map((round) => {
    if (round.number !== number || round.acks.includes(from)) return round;
    const acks = [...round.acks, from];
    if (acks.length >= quorum) leaseUntil = Math.max(leaseUntil, round.sentAt + state.timing.lease);
    return { ...round, acks };
  });
  return { rounds, leaseUntil };
}

/** Monotonic time may have stood still while the lease ran out for everyone else: only a new quorum brings it back. */
export function onResumed(draft: Draft): void {
  if (draft.state.role !== "admin") return;
  set(draft, { leaseUntil: -Infinity, wonAt: draft.now, rounds: [] });
  beat(draft);
}

/** Without a quorum for one lease, or one lease after winning: the voters listen to somebody else, or to nobody. */
export function checkLease(draft: Draft): void {
  const { state, now } = draft;
  const until = Math.max(state.leaseUntil, state.wonAt + state.timing.lease);
  if (now >= until) stepDown(draft, "lease lapsed");
}

export function announce(draft: Draft): void {
  const { state, now } = draft;
  // Who waits for a founding has nothing else to do, and gossip's first words are easily lost.
  const everyMs = isUnfounded(state) ? state.timing.beat : ANNOUNCE_MS;
  set(draft, { announceAt: now + everyMs });
  draft.effects.push({ kind: "presence", uptimeMs: Math.floor(now - state.startedAt) });
  if (state.role === "admin" && state.certificate !== undefined)
    draft.effects.push({ kind: "announce", certificate: state.certificate });
}
