import { decodeCanonical, encodeCanonical, parsePeerId } from "@chorus/kernel";
import { canonicalConfig } from "./config.ts";
import type { VoteState } from "./contract.ts";
import {
  canonicalCertificate,
  canonicalChange,
  count,
  fields,
  list,
  MAX_TERM,
  parseCertificate,
  parseChange,
  parseConfig,
  parsePledge,
} from "./wire-parts.ts";

/** The longest chain of changes that a peer keeps is well below this. */
const MAX_BYTES = 131_072;
const MAX_CHANGES = 64;

export function encodeVoteState(state: VoteState): Uint8Array {
  const { term, votedFor, config, base, changes, pledge, proposed, founded, certificate } = state;
  return encodeCanonical({
    term,
    ...(votedFor === undefined ? {} : { votedFor }),
    ...(config === undefined ? {} : { config: canonicalConfig(config) }),
    ...(base === undefined ? {} : { base: canonicalConfig(base) }),
    ...(changes === undefined ? {} : { changes: changes.map(canonicalChange) }),
    ...(pledge === undefined ? {} : { pledge: { ...pledge, config: canonicalConfig(pledge.config) } }),
    ...(proposed === undefined ? {} : { proposed }),
    ...(founded === undefined ? {} : { founded: canonicalChange(founded) }),
    ...(certificate === undefined ? {} : { certificate: canonicalCertificate(certificate) }),
  });
}

/** @throws InvalidInputError */
export function parseVoteState(bytes: Uint8Array): VoteState {
  const value = fields(decodeCanonical(bytes, { maxBytes: MAX_BYTES, maxDepth: 10 }), "state");
  const { votedFor, config, base, changes, pledge, proposed, founded, certificate } = value;
  return {
    term: count(value["term"], "term", MAX_TERM),
    ...(votedFor === undefined ? {} : { votedFor: parsePeerId(votedFor, "votedFor") }),
    ...(config === undefined ? {} : { config: parseConfig(config) }),
    ...(base === undefined ? {} : { base: parseConfig(base) }),
    ...(changes === undefined ? {} : { changes: list(changes, "changes", MAX_CHANGES).map(parseChange) }),
    ...(pledge === undefined ? {} : { pledge: parsePledge(pledge) }),
    ...(proposed === undefined ? {} : { proposed: count(proposed, "proposed") }),
    ...(founded === undefined ? {} : { founded: parseChange(founded) }),
    ...(certificate === undefined ? {} : { certificate: parseCertificate(certificate) }),
  };
}
