import type { PeerId } from "@chorus/kernel";
import { quorumOf, sameVoters, voterOf } from "../config.ts";
import type { ElectionConfig, SignedVote, Voter } from "../contract.ts";
import type { Message } from "../wire.ts";
import { broadcast, type Draft, send, set, toVoters } from "./draft.ts";
import { fold } from "./folding.ts";
import { complete, isFoundingWith } from "./founding.ts";
import { beat } from "./leading.ts";
import { extend, isNext } from "./lineage.ts";
import type { Rules } from "./rules.ts";
import type { Proposal, State } from "./state.ts";

interface Proposed {
  readonly term: number;
  readonly config: ElectionConfig;
}

/** The admin wants these voters next. One change at a time; P1: the log has committed something in this term. */
export function propose(draft: Draft, voters: readonly Voter[]): void {
  const { state, now } = draft;
  const { role, config: previous, proposal, term, rules, settings } = state;
  if (role !== "admin" || previous === undefined || proposal !== undefined || voters.length === 0) return;
  const sorted = voters.toSorted((a, b) => (a.peer < b.peer ? -1 : 1));
  const cterm = rules.configRewrite ? term : previous.cterm;
  const config = { ...previous, cterm, version: previous.version + 1, voters: sorted };
  if (rules.oneAtATime && !isNext(previous, config)) return;
  // It would leave at the moment that the change is made.
  if (!sorted.some(({ peer }) => peer === state.self)) return;
  const asks = settings.hasLog && rules.logCheck;
  set(draft, { proposal: { kind: "change", config, previous, approvals: [], since: now, open: !asks } });
  if (asks) draft.effects.push({ kind: "check-commit", term });
  else request(draft);
}

export function onCommitVerdict(draft: Draft, term: number, committed: boolean): void {
  const { proposal, role } = draft.state;
  if (role !== "admin" || term !== draft.state.term || proposal?.kind !== "change" || proposal.open) return;
  set(draft, { proposal: committed ? { ...proposal, open: true } : undefined });
  if (committed) request(draft);
}

/** Repeated with every beat, and given up after one timeout; so is a fold whose approval did not reach the disk. */
export function pursue(draft: Draft): void {
  const { proposal, timing } = draft.state;
  if (proposal === undefined) return;
  if (draft.now >= proposal.since + timing.timeout) set(draft, { proposal: undefined });
  else if (proposal.kind === "change" && proposal.open) request(draft);
}

function request(draft: Draft): void {
  const { proposal, term, self, rules } = draft.state;
  if (proposal === undefined) return;
  const { previous, config } = proposal;
  if (!rules.installedQuorum && !rules.termQuorum) {
    change(draft, proposal);
    return;
  }
  if (!proposal.approvals.some(({ voter }) => voter === self))
    draft.effects.push({ kind: "approve", to: self, previous, config, number: 0 });
  toVoters(draft, { kind: "propose", term, config });
}

/**
 * An approval says that this voter has installed the configuration before (Q1) and is in the admin's term (Q2):
 * a majority of approvals is the proof that the change may be made. It is a promise like that for a beat.
 */
export function onPropose(draft: Draft, from: PeerId, proposed: Proposed): void {
  const { state, now } = draft;
  if (!mayApprove(state, from, proposed)) return;
  set(draft, { heardAt: now });
  draft.effects.push({
    kind: "approve",
    to: from,
    previous: state.config,
    config: proposed.config,
    number: 0,
  });
}

function mayApprove(state: State, from: PeerId, { term, config }: Proposed): boolean {
  const { certificate, rules, config: own, role, resigned } = state;
  if (own === undefined || role === "admin" || term <= resigned) return false;
  const inTerm = term === state.term && certificate?.term === term && certificate.candidate === from;
  return (inTerm || !rules.termQuorum) && (hasInstalled(own, config, rules) || !rules.installedQuorum);
}

function hasInstalled(own: ElectionConfig, config: ElectionConfig, rules: Rules): boolean {
  const written = own.cterm === config.cterm || !rules.configRewrite;
  return written && isNext(own, config, rules.oneAtATime ? 1 : Infinity);
}

/**
 * One for a founding that this peer has taken back, and perhaps asked for anew: its word of that was lost, or is still
 * on its way. The voter may be free of what it approved then, so it does not count.
 */
export function onApproval(
  draft: Draft,
  from: PeerId,
  { config, number, signature }: Message & { kind: "approval" },
): void {
  const { pledge, founded, self } = draft.state;
  const { founding, voters } = config;
  const current = founding === pledge?.config.founding && number === pledge.number;
  const open = current || founding === founded?.config.founding;
  if (!open && voters[0]?.peer === self && isFoundingWith(draft.state, config))
    send(draft, from, { kind: "withdraw", founding, number });
  else countApproval(draft, config, { voter: from, signature });
}

/** Counts an approval whose signature was checked against the proposal. */
export function countApproval(draft: Draft, config: ElectionConfig, approval: SignedVote): void {
  const { proposal } = draft.state;
  if (proposal === undefined || !isFor(proposal, config, approval.voter)) return;
  const approvals = [...proposal.approvals, approval].toSorted((a, b) => (a.voter < b.voter ? -1 : 1));
  const counted = { ...proposal, approvals };
  set(draft, { proposal: counted });
  const { previous } = proposal;
  const enough = previous === undefined ? config.voters.length : quorumOf(previous);
  if (approvals.length < enough) return;
  if (proposal.kind === "change") change(draft, counted);
  else if (proposal.kind === "fold") fold(draft, counted, approval);
  else complete(draft, counted);
}

/** New, by a voter of the configuration before (or of the founding), and about this very proposal. */
function isFor(proposal: Proposal, config: ElectionConfig, voter: PeerId): boolean {
  const { previous, approvals, open } = proposal;
  return (
    open &&
    sameVoters(proposal.config, config) &&
    proposal.config.cterm === config.cterm &&
    voterOf(previous ?? proposal.config, voter) !== undefined &&
    !approvals.some((approval) => approval.voter === voter)
  );
}

/** The change is in force from here on; beats in flight were acknowledged for the voters before. */
function change(draft: Draft, { config, previous, approvals }: Proposal): void {
  const { state } = draft;
  if (state.role !== "admin" || previous === undefined) return;
  const made = { config, approvals };
  set(draft, { ...extend(state, previous, made), proposal: undefined, rounds: [] });
  for (const { peer } of previous.voters)
    if (!config.voters.some((voter) => voter.peer === peer))
      send(draft, peer, { kind: "change", change: made });
  broadcast(draft, { kind: "change", change: made });
  beat(draft);
}
