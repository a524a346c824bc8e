import { type Canonical, InvalidInputError, parsePeerId } from "@chorus/kernel";
import { canonicalConfig, MAX_VOTERS } from "./config.ts";
import type {
  AdminCert,
  ConfigChange,
  ElectionConfig,
  EquivocationProof,
  LogPosition,
  Pledge,
  SignedBallot,
  SignedVote,
  Voter,
} from "./contract.ts";

/** Room for many leaps of {@link MAX_LEAP} and nowhere near the last safe integer. */
export const MAX_TERM = 2 ** 52;
const MAX_PRIORITY = 100;

export type Fields = Readonly<Record<string, Canonical>>;

export function canonicalCertificate(certificate: AdminCert): Canonical {
  return {
    config: canonicalConfig(certificate.config),
    term: certificate.term,
    candidate: certificate.candidate,
    votes: canonicalVotes(certificate.votes),
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

export function canonicalChange({ config, approvals }: ConfigChange): Canonical {
  return { config: canonicalConfig(config), approvals: canonicalVotes(approvals) };
}

/** Checks the shape; the approvals are checked by `verifyChange`. @throws InvalidInputError */
export function parseChange(input: Canonical | undefined): ConfigChange {
  const value = fields(input, "change");
  return {
    config: parseConfig(value["config"]),
    approvals: list(value["approvals"], "change/approvals").map(parseVote),
  };
}

export function canonicalProof(proof: EquivocationProof): Canonical {
  return { ...proof, one: { ...proof.one }, other: { ...proof.other } };
}

/** Checks the shape; the signatures are checked by `verifyEquivocation`. @throws InvalidInputError */
export function parseProof(input: Canonical): EquivocationProof {
  const value = fields(input, "proof");
  return {
    cluster: text(value["cluster"], "cluster"),
    founding: text(value["founding"], "founding"),
    term: count(value["term"], "term", MAX_TERM),
    voter: parsePeerId(value["voter"], "voter"),
    one: parseBallot(value["one"]),
    other: parseBallot(value["other"]),
  };
}

export function parseConfig(input: Canonical | undefined): ElectionConfig {
  const value = fields(input, "config");
  const voters = list(value["voters"], "voters").map(parseVoter);
  if (voters.length === 0) throw new InvalidInputError("voters", "must not be empty");
  const sorted = voters.every((voter, i) => i === 0 || (voters[i - 1]?.peer ?? "") < voter.peer);
  if (!sorted) throw new InvalidInputError("voters", "must be sorted, each once");
  return {
    cluster: text(value["cluster"], "cluster"),
    founding: text(value["founding"], "founding"),
    cterm: count(value["cterm"], "cterm", MAX_TERM),
    version: count(value["version"], "version"),
    voters,
  };
}

/** A founding and its number. @throws InvalidInputError */
export function parsePledge(input: Canonical | undefined): Pledge {
  const value = fields(input, "pledge");
  return { config: parseConfig(value["config"]), number: count(value["number"], "number") };
}

export function parsePosition(input: Canonical | undefined): LogPosition {
  const value = fields(input, "last");
  return { term: count(value["term"], "last/term", MAX_TERM), index: count(value["index"], "last/index") };
}

export function fields(value: Canonical | undefined, path: string): Fields {
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array)
    throw new InvalidInputError(path, "must be a map");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other members of Canonical are excluded above
  return value as Fields;
}

export function count(
  value: Canonical | undefined,
  path: string,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number" || value < 0 || value > max)
    throw new InvalidInputError(path, "must be a count in range");
  return value;
}

export function flag(value: Canonical | undefined, path: string): boolean {
  if (typeof value !== "boolean") throw new InvalidInputError(path, "must be true or false");
  return value;
}

/** Names of meshes and foundings, empty where there is none. */
export function text(value: Canonical | undefined, path: string): string {
  if (typeof value !== "string" || value.length > 64) throw new InvalidInputError(path, "must be a name");
  return value;
}

/** An Ed25519 signature, empty in a refusal. */
export function signatureOf(value: Canonical | undefined, path: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length > 64) throw new InvalidInputError(path, "must be bytes");
  return value;
}

export function list(
  value: Canonical | undefined,
  path: string,
  max: number = MAX_VOTERS,
): readonly Canonical[] {
  if (!Array.isArray(value) || value.length > max)
    throw new InvalidInputError(path, `must be a list of at most ${max}`);
  return value;
}

export function priority(value: Canonical | undefined): number {
  return count(value, "priority", MAX_PRIORITY);
}

function canonicalVotes(votes: readonly SignedVote[]): Canonical {
  return votes.map(({ voter, signature }) => ({ voter, signature }));
}

function parseVoter(input: Canonical): Voter {
  const value = fields(input, "voter");
  return {
    peer: parsePeerId(value["peer"], "voter/peer"),
    eligible: flag(value["eligible"], "voter/eligible"),
    priority: priority(value["priority"]),
  };
}

function parseVote(input: Canonical): SignedVote {
  const value = fields(input, "vote");
  return {
    voter: parsePeerId(value["voter"], "vote/voter"),
    signature: signatureOf(value["signature"], "vote/signature"),
  };
}

function parseBallot(input: Canonical | undefined): SignedBallot {
  const value = fields(input, "ballot");
  return {
    configVersion: count(value["configVersion"], "ballot/configVersion"),
    config: signatureOf(value["config"], "ballot/config"),
    candidate: parsePeerId(value["candidate"], "ballot/candidate"),
    signature: signatureOf(value["signature"], "ballot/signature"),
  };
}
