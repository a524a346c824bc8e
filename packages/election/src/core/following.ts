import type { PeerId } from "@chorus/kernel";
import { isOlder, voterOf } from "../config.ts";
import type { AdminCert, ConfigChange, ElectionConfig } from "../contract.ts";
import type { Message } from "../wire.ts";
import {
  ask,
  become,
  broadcast,
  type Draft,
  install,
  known,
  raiseTerm,
  rearm,
  send,
  set,
  spread,
} from "./draft.ts";
import { follows, meet } from "./folding.ts";
import { isFoundingWith } from "./founding.ts";
import { confirm, extend, predecessorOf } from "./lineage.ts";
import { SUSPECTED_LEASES } from "./promises.ts";
import { MAX_LEAP, type State } from "./state.ts";

export function onBeat(draft: Draft, from: PeerId, message: Message & { kind: "beat" }): void {
  const { state, now } = draft;
  const { term, number } = message;
  const { cterm, version } = state.config ?? { cterm: 0, version: 0 };
  if (term < state.term) {
    // Only a voter's word ends a term; the terms of another mesh say nothing here.
    if (voterOf(state.config, from) !== undefined)
      send(draft, from, { kind: "beat-ack", term: state.term, number, cterm, version });
    return;
  }
  const certified = state.certificate?.term === term && state.certificate.candidate === from;
  // A beat proves nothing: the certificate does.
  if (!certified || message.version > version) ask(draft, from);
  if (!certified || term <= state.resigned || state.role === "admin") return;
  hear(draft);
  if (state.role === "observer") return;
  set(draft, { heardAt: now });
  send(draft, from, { kind: "beat-ack", term, number, cterm, version });
}

export function onCertificate(draft: Draft, certificate: AdminCert, from: PeerId | undefined): void {
  const { term, candidate, config } = certificate;
  const own = draft.state.config;
  if (own !== undefined && own.founding !== config.founding) {
    meet(draft, certificate, from);
    return;
  }
  if (term > draft.state.term + MAX_LEAP) return;
  compare(draft, certificate);
  confirmed(draft, certificate);
  if (term < draft.state.term || term <= draft.state.resigned) return;
  const { certificate: before, self } = draft.state;
  const again = before?.term === term;
  if (again && before.candidate !== candidate)
    draft.effects.push({ kind: "equivocation", one: before, other: certificate });
  // Our own, sent back: after a restart it is history, before one it is no news.
  else if (candidate !== self) accept(draft, certificate, { from, again });
}

/** Whoever voted for this peer and, in the same term, for the one that won, has signed twice. */
function compare(draft: Draft, certificate: AdminCert): void {
  const { config, term, role, self, votes } = draft.state;
  if (role !== "candidate" || config === undefined) return;
  if (certificate.term !== term || certificate.candidate === self) return;
  const twice = votes.some((vote) => certificate.votes.some(({ voter }) => voter === vote.voter));
  const one = { config, term, candidate: self, votes };
  if (twice) draft.effects.push({ kind: "equivocation", one, other: certificate });
}

function accept(
  draft: Draft,
  certificate: AdminCert,
  { from, again }: { readonly from: PeerId | undefined; readonly again: boolean },
): void {
  if (certificate.term > draft.state.term) raiseTerm(draft, certificate.term);
  if (!again) adopt(draft, certificate, from);
  // An old certificate that is repeated by others says nothing about the admin being there.
  else if (from === certificate.candidate) hear(draft);
  // Once more: a candidate has only now stopped counting its votes.
  confirmed(draft, certificate);
}

function adopt(draft: Draft, certificate: AdminCert, from: PeerId | undefined): void {
  set(draft, { certificate });
  hear(draft);
  if (from !== certificate.candidate) ask(draft, certificate.candidate);
}

/** A new admin confirms the configuration with its own term; a peer whose votes are being counted waits. */
function confirmed(draft: Draft, { config, term }: AdminCert): void {
  const { state } = draft;
  if (state.role === "candidate" || state.role === "admin") return;
  const next = state.rules.configRewrite ? { ...config, cterm: term } : config;
  if (state.config === undefined) install(draft, { config: next, base: config, changes: [] });
  else if (isOlder(state.config, next)) {
    const lineage = confirm(state, next);
    if (lineage !== undefined) install(draft, lineage);
  }
}

/** A quorum approved it, so it holds, whoever passed it on. */
export function onChange(draft: Draft, change: ConfigChange, previous: ElectionConfig | undefined): void {
  const { state } = draft;
  const { founding } = change.config;
  if (previous === undefined) followFounding(draft, change);
  else if (founding === state.foreign?.certificate.config.founding) follows(draft, previous, change);
  else {
    const farthest = state.rules.oneAtATime ? 1 : Infinity;
    if (predecessorOf(state, change.config, farthest)?.version !== previous.version) return;
    if (founding === previous.founding) followChange(draft, previous, change);
    else followFold(draft, previous, change);
  }
}

/** Its signatures say that this peer agreed, whatever it has been told of it since. */
function followFounding(draft: Draft, founded: ConfigChange): void {
  const { config } = founded;
  if (draft.state.config !== undefined || !isFoundingWith(draft.state, config)) return;
  install(draft, { config, base: config, changes: [] });
  set(draft, { founded });
}

function followChange(draft: Draft, previous: ElectionConfig, change: ConfigChange): void {
  const { role, term } = draft.state;
  const { cterm } = change.config;
  // An admin writes its configurations itself.
  if (cterm > term + MAX_LEAP || (role === "admin" && cterm <= term)) return;
  if (cterm > term) raiseTerm(draft, cterm);
  install(draft, extend(draft.state, previous, change));
}

/** The mesh this peer trusts was taken in by another one, by the word of its only voter. Terms count from there. */
function followFold(draft: Draft, previous: ElectionConfig, change: ConfigChange): void {
  const { state } = draft;
  if (voterOf(previous, state.self) !== undefined) return;
  const { founding: into, cterm: term } = change.config;
  install(draft, extend(state, previous, change));
  set(draft, { term, votedFor: undefined, certificate: undefined, alive: false, resigned: 0 });
  draft.effects.push({ kind: "folded", from: previous.founding, into });
  broadcast(draft, { kind: "probe", ...known(draft.state) });
}

function hear(draft: Draft): void {
  if (draft.state.role === "pre-candidate" || draft.state.role === "candidate")
    become(draft, "follower", "admin heard");
  set(draft, { alive: true, suspected: false, reading: false });
  rearm(draft);
}

export function lose(draft: Draft): void {
  set(draft, { alive: false });
}

/** A closed connection is a reason to ask at once instead of waiting for the timeout. */
export function onDisconnected(draft: Draft, peer: PeerId): void {
  const { state, now } = draft;
  if (!isKnownAdmin(state, peer)) return;
  ask(draft, peer);
  // A voter keeps its promise; only its view of the admin is quicker.
  if (state.role === "observer") set(draft, { deadline: Math.min(state.deadline, now + state.timing.beat) });
}

/** The promise protects a lease, and is shortened to it when all speaks for the admin being dead. */
export function onUnreachable(draft: Draft, peer: PeerId): void {
  const { state, now } = draft;
  if (!isKnownAdmin(state, peer)) return;
  lose(draft);
  if (state.role === "observer") return;
  const promised = Math.max(now, state.heardAt + SUSPECTED_LEASES * state.timing.lease);
  set(draft, { suspected: true, deadline: Math.min(state.deadline, promised + spread(draft)) });
}

function isKnownAdmin(state: State, peer: PeerId): boolean {
  return state.role !== "admin" && state.alive && state.certificate?.candidate === peer;
}
