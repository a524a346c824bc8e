import type { PeerId } from "@chorus/kernel";
import { isOlder, voterOf } from "../config.ts";
import type { AdminCert } from "../contract.ts";
import type { Message } from "../wire.ts";
import { become, type Draft, raiseTerm, rank, rearm, send, set } from "./draft.ts";
import type { State } from "./state.ts";

export function onBeat(draft: Draft, from: PeerId, message: Message & { kind: "beat" }): void {
  const { state, now } = draft;
  if (message.term < state.term) {
    send(draft, from, { kind: "beat-ack", term: state.term, number: message.number });
    return;
  }
  const known = state.certificate?.term === message.term && state.certificate.candidate === from;
  if (!known) {
    // A beat proves nothing: the certificate does.
    send(draft, from, { kind: "probe" });
    return;
  }
  if (message.term <= state.resigned || state.role === "admin") return;
  hear(draft);
  if (state.role === "observer") return;
  set(draft, { heardAt: now });
  send(draft, from, { kind: "beat-ack", term: message.term, number: message.number });
}

export function onCertificate(draft: Draft, certificate: AdminCert, from: PeerId | undefined): void {
  const { term, candidate } = certificate;
  install(draft, certificate);
  const { certificate: known, self, resigned } = draft.state;
  if (term < draft.state.term || term <= resigned) return;
  if (known?.term === term && known.candidate !== candidate) {
    draft.effects.push({ kind: "equivocation", one: known, other: certificate });
    return;
  }
  // Our own, sent back: after a restart it is history, before one it is no news.
  if (candidate === self) return;
  if (term > draft.state.term) raiseTerm(draft, term);
  if (known?.term === term) {
    // An old certificate that is repeated by others says nothing about the admin being there.
    if (from === candidate) hear(draft);
  } else adopt(draft, certificate, from);
}

function adopt(draft: Draft, certificate: AdminCert, from: PeerId | undefined): void {
  set(draft, { certificate });
  hear(draft);
  if (from !== certificate.candidate) send(draft, certificate.candidate, { kind: "probe" });
}

/** A new admin confirms the configuration with its own term; a peer whose votes are being counted waits. */
function install(draft: Draft, { config, term }: AdminCert): void {
  const { role, config: own } = draft.state;
  if (role === "candidate" || role === "admin") return;
  const confirmed = { ...config, cterm: term };
  if (own === undefined || isOlder(own, confirmed)) set(draft, { config: confirmed });
}

function hear(draft: Draft): void {
  if (draft.state.role === "pre-candidate" || draft.state.role === "candidate")
    become(draft, "follower", "admin heard");
  set(draft, { alive: true });
  rearm(draft);
}

export function lose(draft: Draft): void {
  set(draft, { alive: false });
}

export function onResign(draft: Draft, from: PeerId, term: number): void {
  const { state, now } = draft;
  if (state.certificate?.candidate !== from || state.certificate.term !== term || state.role === "admin")
    return;
  lose(draft);
  // The promise was made to this admin, whose lease has ended by its own word.
  set(draft, { resigned: term, heardAt: -Infinity });
  if (state.role !== "observer") set(draft, { deadline: now + rank(draft) * (state.timing.timeout / 20) });
}

/** A closed connection is a reason to ask at once instead of waiting for the timeout. */
export function onDisconnected(draft: Draft, peer: PeerId): void {
  const { state, now } = draft;
  if (!isKnownAdmin(state, peer)) return;
  send(draft, peer, { kind: "probe" });
  // A voter keeps its promise for the whole timeout; only its view of the admin is quicker.
  if (state.role === "observer") set(draft, { deadline: Math.min(state.deadline, now + state.timing.beat) });
}

export function onPresence(draft: Draft, from: PeerId, uptimeMs: number): void {
  if (voterOf(draft.state.config, from) === undefined) return;
  set(draft, { uptimes: { ...draft.state.uptimes, [from]: { uptimeMs, at: draft.now } } });
}

export function isKnownAdmin(state: State, peer: PeerId): boolean {
  return state.role !== "admin" && state.alive && state.certificate?.candidate === peer;
}
