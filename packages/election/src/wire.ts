import {
  type Canonical,
  decodeCanonical,
  encodeCanonical,
  InvalidInputError,
  parsePeerId,
} from "@chorus/kernel";
import { canonicalConfig, MAX_VOTERS } from "./config.ts";
import type { AdminCert, ElectionConfig, SignedVote, VoteState, Voter } from "./contract.ts";

/** Direct conversations between members: one-way streams of {@link Message} frames. */
export const PROTOCOL = "/chorus/election/1.0.0";
/** Presence and certificates for whoever listens. */
export const TOPIC = "chorus/election/v1";
/** Largest frame, before anything is parsed. */
const MAX_BYTES = 16_384;
/** One voter that claims the last safe integer must not end all elections: no real mesh gets near this. */
const MAX_TERM = 2 ** 40;

/** What members tell each other on a direct stream. The sender is the authenticated peer of the stream. */
export type Message =
  /** "Would you vote for me in this term?" Changes nothing at the receiver. */
  | { readonly kind: "pre-vote"; readonly term: number; readonly cterm: number; readonly version: number }
  | { readonly kind: "pre-vote-reply"; readonly term: number; readonly granted: boolean }
  | { readonly kind: "vote-request"; readonly term: number; readonly config: ElectionConfig }
  /** `signature` is empty when refused; `term` is the highest the voter knows then. */
  | {
      readonly kind: "vote-reply";
      readonly term: number;
      readonly granted: boolean;
      readonly signature: Uint8Array;
    }
  | { readonly kind: "beat"; readonly term: number; readonly number: number }
  | { readonly kind: "beat-ack"; readonly term: number; readonly number: number }
  /** "Are you the admin?" Only the admin answers, with its certificate. */
  | { readonly kind: "probe" }
  | { readonly kind: "certificate"; readonly certificate: AdminCert }
  /** The admin of this term gives the lead up; its lease has ended. */
  | { readonly kind: "resign"; readonly term: number };

/** Gossip body of type `presence`. */
export interface Presence {
  readonly role: "voter" | "observer";
  readonly uptimeMs: number;
}

export function encodeMessage(message: Message): Uint8Array {
  if (message.kind === "certificate")
    return encodeCanonical({ kind: message.kind, certificate: canonicalCertificate(message.certificate) });
  if (message.kind === "vote-request")
    return encodeCanonical({ ...message, config: canonicalConfig(message.config) });
  return encodeCanonical(message);
}

/** @throws InvalidInputError */
export function parseMessage(bytes: Uint8Array): Message {
  const value = fields(decodeCanonical(bytes, { maxBytes: MAX_BYTES, maxDepth: 8 }), "message");
  const kind = value["kind"];
  if (kind === "probe") return { kind };
  if (kind === "certificate") return { kind, certificate: parseCertificate(value["certificate"]) };
  const term = count(value["term"], "term", MAX_TERM);
  if (kind === "vote-request") return { kind, term, config: parseConfig(value["config"]) };
  if (kind === "beat" || kind === "beat-ack") return { kind, term, number: count(value["number"], "number") };
  if (kind === "resign") return { kind, term };
  if (kind === "pre-vote") {
    const [cterm, version] = [count(value["cterm"], "cterm"), count(value["version"], "version")];
    return { kind, term, cterm, version };
  }
  const granted = flag(value["granted"], "granted");
  if (kind === "pre-vote-reply") return { kind, term, granted };
  if (kind === "vote-reply")
    return { kind, term, granted, signature: bytesOf(value["signature"], "signature") };
  throw new InvalidInputError("kind", "is unknown");
}

export function canonicalCertificate(certificate: AdminCert): Canonical {
  return {
    config: canonicalConfig(certificate.config),
    term: certificate.term,
    candidate: certificate.candidate,
    votes: certificate.votes.map(({ voter, signature }) => ({ voter, signature })),
  };
}

/** Checks the shape; the votes are checked by `verifyCertificate`. @throws InvalidInputError */
export function parseCertificate(input: Canonical | undefined): AdminCert {
  const value = fields(input, "certificate");
  return {
    config: parseConfig(value["config"]),
    term: count(value["term"], "certificate/term", MAX_TERM),
    candidate: parsePeerId(value["candidate"], "certificate/candidate"),
    votes: list(value["votes"], "certificate/votes").map(parseVote),
  };
}

/** @throws InvalidInputError */
export function parsePresence(input: Canonical): Presence {
  const value = fields(input, "presence");
  const role = value["role"];
  if (role !== "voter" && role !== "observer") throw new InvalidInputError("role", "is unknown");
  return { role, uptimeMs: count(value["uptimeMs"], "uptimeMs") };
}

export function encodeVoteState({ term, votedFor, config }: VoteState): Uint8Array {
  return encodeCanonical({
    term,
    votedFor: votedFor ?? null,
    config: config === undefined ? null : canonicalConfig(config),
  });
}

/** @throws InvalidInputError */
export function parseVoteState(bytes: Uint8Array): VoteState {
  const value = fields(decodeCanonical(bytes, { maxBytes: MAX_BYTES, maxDepth: 8 }), "state");
  const { votedFor, config } = value;
  return {
    term: count(value["term"], "term", MAX_TERM),
    ...(votedFor === null ? {} : { votedFor: parsePeerId(votedFor, "votedFor") }),
    ...(config === null ? {} : { config: parseConfig(config) }),
  };
}

function parseConfig(input: Canonical | undefined): ElectionConfig {
  const value = fields(input, "config");
  const { cluster } = value;
  if (typeof cluster !== "string" || cluster.length > 64)
    throw new InvalidInputError("cluster", "must be a name");
  const voters = list(value["voters"], "voters").map(parseVoter);
  if (voters.length === 0) throw new InvalidInputError("voters", "must not be empty");
  const sorted = voters.every((voter, i) => i === 0 || (voters[i - 1]?.peer ?? "") < voter.peer);
  if (!sorted) throw new InvalidInputError("voters", "must be sorted, each once");
  return {
    cluster,
    cterm: count(value["cterm"], "cterm", MAX_TERM),
    version: count(value["version"], "version"),
    voters,
  };
}

function parseVoter(input: Canonical): Voter {
  const value = fields(input, "voter");
  return {
    peer: parsePeerId(value["peer"], "voter/peer"),
    eligible: flag(value["eligible"], "voter/eligible"),
    priority: count(value["priority"], "voter/priority"),
  };
}

function parseVote(input: Canonical): SignedVote {
  const value = fields(input, "vote");
  return {
    voter: parsePeerId(value["voter"], "vote/voter"),
    signature: bytesOf(value["signature"], "vote/signature"),
  };
}

function fields(value: Canonical | undefined, path: string): Readonly<Record<string, Canonical>> {
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array)
    throw new InvalidInputError(path, "must be a map");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other members of Canonical are excluded above
  return value as Readonly<Record<string, Canonical>>;
}

function list(value: Canonical | undefined, path: string): readonly Canonical[] {
  if (!Array.isArray(value) || value.length > MAX_VOTERS)
    throw new InvalidInputError(path, `must be a list of at most ${MAX_VOTERS}`);
  return value;
}

function count(value: Canonical | undefined, path: string, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || value < 0 || value > max)
    throw new InvalidInputError(path, "must be a count in range");
  return value;
}

function flag(value: Canonical | undefined, path: string): boolean {
  if (typeof value !== "boolean") throw new InvalidInputError(path, "must be true or false");
  return value;
}

function bytesOf(value: Canonical | undefined, path: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length > 64) throw new InvalidInputError(path, "must be bytes");
  return value;
}
