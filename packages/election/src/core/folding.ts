import type { PeerId } from "@chorus/kernel";
import type { AdminCert, ConfigChange, ElectionConfig, SignedVote } from "../contract.ts";
import { ask, become, broadcast, type Draft, rearm, set } from "./draft.ts";
import { extend, foldsInto } from "./lineage.ts";
import type { Proposal } from "./state.ts";

/** A certificate of another founding: a reason to fold for a mesh of one voter, and to report for any other. */
export function meet(draft: Draft, certificate: AdminCert, from: PeerId | undefined): void {
  const { state } = draft;
  const { config, settings, role } = state;
  const lone = config?.voters.length === 1 && role !== "observer";
  if (!lone || !settings.automatic) {
    draft.effects.push({ kind: "stranger", certificate });
    if (role === "observer" && from === undefined) inquire(draft);
    return;
  }
  // Gossip keeps certificates of the dead in motion: only one that its admin hands over itself counts.
  if (from !== certificate.candidate) {
    ask(draft, certificate.candidate);
    return;
  }
  const theirs = certificate.config;
  const before = state.foreign?.certificate;
  if (before?.term !== certificate.term || before.config.founding !== theirs.founding)
    set(draft, { foreign: { certificate, config: theirs, base: theirs, changes: [] } });
  offer(draft);
}

/**
 * The mesh this observer trusts may have been taken in, and its word of that is said once. Only the voter that gave
 * way can prove it. Asked as often as gossip tells of strangers: their beats come faster.
 */
function inquire(draft: Draft): void {
  const { config, self } = draft.state;
  const [voter, ...others] = config?.voters ?? [];
  if (voter !== undefined && others.length === 0 && voter.peer !== self) ask(draft, voter.peer);
}

/** The other mesh's configuration after its certificate: it may have grown since. */
export function follows(draft: Draft, previous: ElectionConfig, change: ConfigChange): void {
  const { foreign } = draft.state;
  if (foreign?.config === undefined || change.config.version !== foreign.config.version + 1) return;
  set(draft, { foreign: { ...foreign, ...extend(foreign, previous, change) } });
  offer(draft);
}

/** Asks this voter's own signature for giving way. */
function offer(draft: Draft): void {
  const { config: previous, foreign, self, proposal } = draft.state;
  if (previous === undefined || foreign?.config === undefined || proposal?.kind === "fold") return;
  if (!foldsInto(previous, foreign.config)) return;
  const { config } = foreign;
  const open = true;
  set(draft, { proposal: { kind: "fold", config, previous, approvals: [], since: draft.now, open } });
  draft.effects.push({ kind: "approve", to: self, previous, config, number: 0 });
}

/** Becomes an observer of the other mesh, and lets this one's observers follow. */
export function fold(draft: Draft, { config, previous }: Proposal, approval: SignedVote): void {
  const { state } = draft;
  const { foreign, role, term } = state;
  set(draft, { proposal: undefined, foreign: undefined });
  const own = state.config;
  if (foreign === undefined || previous === undefined || own === undefined || !foldsInto(own, config)) return;
  // Yet another mesh was met while this was being signed: its certificate says nothing about the one to fold into.
  if (foreign.certificate.config.founding !== config.founding) return;
  const change = { config, approvals: [approval] };
  if (role === "admin") broadcast(draft, { kind: "resign", term });
  become(draft, "observer", "no longer a voter");
  const { certificate } = foreign;
  set(draft, {
    ...extend(state, previous, change),
    certificate,
    // Terms rise within one founding, and this one is new here.
    term: Math.max(certificate.term, config.cterm),
    votedFor: undefined,
    alive: true,
    resigned: 0,
    leaseUntil: -Infinity,
    beatAt: Infinity,
    rounds: [],
  });
  rearm(draft);
  draft.effects.push({ kind: "folded", from: previous.founding, into: config.founding });
  broadcast(draft, { kind: "change", change });
  ask(draft, certificate.candidate);
}
