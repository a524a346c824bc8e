import type { PeerId } from "@chorus/kernel";
import { isOlder, sameVoters, voterOf } from "../config.ts";
import type { AdminCert, ConfigChange, ElectionConfig } from "../contract.ts";
import type { Known, Message } from "../wire.ts";
import { ask, type Draft, send } from "./draft.ts";
import { changesAfter, configsOf } from "./lineage.ts";
import type { State } from "./state.ts";

type Position = Pick<ElectionConfig, "founding" | "cterm" | "version">;

/**
 * The admin answers with all it has, whoever asks. Anyone else passes on only what proves itself; a voter that knows
 * no configuration at all has missed its founding or its promotion.
 */
export function answerProbe(draft: Draft, peer: PeerId, theirs: Known): void {
  const { state } = draft;
  const { role, certificate, config } = state;
  if (role === "admin" && certificate !== undefined) prove(draft, peer, { theirs, certificate });
  else if (theirs.founding !== "") tell(draft, peer, changesAfter(state, theirs, 1));
  else if (state.founded !== undefined && isFounder(state, peer)) {
    const [first] = configsOf(state);
    tell(draft, peer, [state.founded, ...(first === undefined ? [] : changesAfter(state, first))]);
  } else if (certificate !== undefined && voterOf(config, peer) !== undefined)
    prove(draft, peer, { theirs, certificate });
}

/** Whether the founding is where this peer's changes begin, and the other signed it. */
function isFounder(state: State, peer: PeerId): boolean {
  const [first] = configsOf(state);
  const { founded } = state;
  if (first === undefined || founded === undefined || !sameVoters(first, founded.config)) return false;
  return voterOf(first, peer) !== undefined;
}

/**
 * Before a vote, candidate and voter agree on the newest configuration that one of them can prove: whoever is behind
 * could otherwise never be elected, or never learn that its vote is the one that is missing.
 */
export function catchUp(draft: Draft, from: PeerId, message: Message): void {
  const position = positionOf(message);
  const { config, settings } = draft.state;
  if (position === undefined) return;
  if (config === undefined) {
    if (settings.mayVote) ask(draft, from);
  } else if (position.founding !== config.founding) return;
  else if (isOlder(config, position)) ask(draft, from);
  else if (isOlder(position, config)) teach(draft, from, position);
}

function positionOf(message: Message): Position | undefined {
  if (message.kind === "pre-vote") return message;
  return message.kind === "vote-request" ? message.config : undefined;
}

function teach(draft: Draft, candidate: PeerId, theirs: Position): void {
  const { certificate } = draft.state;
  if (certificate !== undefined && certificate.term > theirs.cterm)
    prove(draft, candidate, { theirs, certificate });
  else tell(draft, candidate, changesAfter(draft.state, theirs, 1));
}

/**
 * The certificate, and the changes that lead from what the other knows to its configuration and from there to the
 * one in force. Never a beat: that would make a peer that refuses the certificate ask again, without end.
 */
function prove(
  draft: Draft,
  peer: PeerId,
  { theirs, certificate }: { readonly theirs: Known; readonly certificate: AdminCert },
): void {
  const { state } = draft;
  const { config: own } = certificate;
  const before = changesAfter(state, theirs, 1);
  const follows = before.length > 0 || theirs.founding === state.config?.founding;
  if (follows)
    tell(
      draft,
      peer,
      before.filter(({ config }) => config.version <= own.version),
    );
  send(draft, peer, { kind: "certificate", certificate });
  const after =
    follows && theirs.version > own.version ? changesAfter(state, theirs, 1) : changesAfter(state, own);
  tell(
    draft,
    peer,
    after.filter(({ config }) => config.version > own.version),
  );
}

function tell(draft: Draft, peer: PeerId, changes: readonly ConfigChange[]): void {
  for (const change of changes) send(draft, peer, { kind: "change", change });
}
