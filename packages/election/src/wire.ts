import { type Canonical, decodeCanonical, encodeCanonical, InvalidInputError } from "@chorus/kernel";
import { parsePeerId, type PeerId } from "@chorus/kernel";
import { canonicalConfig } from "./config.ts";
import type { AdminCert, ConfigChange, ElectionConfig, LogPosition, Pledge } from "./contract.ts";
import {
  canonicalCertificate,
  canonicalChange,
  count,
  type Fields,
  fields,
  flag,
  MAX_TERM,
  parseCertificate,
  parseChange,
  parseConfig,
  parsePledge,
  parsePosition,
  priority,
  signatureOf,
  text,
} from "./wire-parts.ts";

/** Direct conversations between members: one-way streams of {@link Message} frames. */
export const PROTOCOL = "/chorus/election/1.0.0";
/** Presence, certificates and proofs of lies for whoever listens. */
export const TOPIC = "chorus/election/v1";
/** Largest frame, before anything is parsed. */
const MAX_BYTES = 16_384;

/** How far a peer has followed a mesh's configurations; founding "" and version 0 for one that knows none. */
export interface Known {
  readonly founding: string;
  readonly version: number;
}

/** Proof that the admin of a term let this candidate stand at once. */
export interface TransferProof {
  readonly term: number;
  readonly signature: Uint8Array;
}

/** What members tell each other on a direct stream. The sender is the authenticated peer of the stream. */
export type Message =
  /** "Would you vote for me in this term?" Changes nothing at the receiver. */
  | {
      readonly kind: "pre-vote";
      readonly term: number;
      readonly founding: string;
      readonly cterm: number;
      readonly version: number;
      readonly last: LogPosition;
    }
  | { readonly kind: "pre-vote-reply"; readonly term: number; readonly granted: boolean }
  | {
      readonly kind: "vote-request";
      readonly term: number;
      readonly config: ElectionConfig;
      readonly last: LogPosition;
      readonly transfer?: TransferProof;
    }
  /** `signature` is empty when refused; `term` is the highest the voter knows then. */
  | {
      readonly kind: "vote-reply";
      readonly term: number;
      readonly granted: boolean;
      readonly signature: Uint8Array;
    }
  /** `version` of the configuration in force: whoever is behind asks. */
  | { readonly kind: "beat"; readonly term: number; readonly number: number; readonly version: number }
  /** `cterm` and `version` of the configuration that the voter has installed. */
  | {
      readonly kind: "beat-ack";
      readonly term: number;
      readonly number: number;
      readonly cterm: number;
      readonly version: number;
    }
  /** "Are you the admin?" The admin answers with its certificate; whoever can, with the changes after `known`. */
  | ({ readonly kind: "probe" } & Known)
  | { readonly kind: "certificate"; readonly certificate: AdminCert }
  | { readonly kind: "change"; readonly change: ConfigChange }
  /** The admin of this term asks the voters of the configuration before to approve the next one. */
  | { readonly kind: "propose"; readonly term: number; readonly config: ElectionConfig }
  /** `number` of the founding that is approved; 0 for a change. */
  | ({ readonly kind: "approval"; readonly signature: Uint8Array } & Pledge)
  /** The admin of this term gives the lead up, perhaps to a successor; its lease has ended. */
  | { readonly kind: "resign"; readonly term: number; readonly successor?: PeerId }
  /** To the successor: it may stand at once. */
  | ({ readonly kind: "transfer" } & TransferProof)
  /** "Let us found this mesh." The answer is an approval. */
  | ({ readonly kind: "found" } & Pledge)
  /** The proposer of this founding has given up what had this number, and never completed it. */
  | { readonly kind: "withdraw"; readonly founding: string; readonly number: number };

/** Gossip body of type `presence`. */
export interface Presence {
  readonly role: "voter" | "observer";
  readonly uptimeMs: number;
  /** Whether this peer would vote, if the configuration named it. */
  readonly wants: boolean;
  readonly eligible: boolean;
  readonly priority: number;
  /** The mesh that this peer takes part in, "" when none yet. */
  readonly founding: string;
}

export function encodeMessage(message: Message): Uint8Array {
  return encodeCanonical(canonicalMessage(message));
}

function canonicalMessage(message: Message): Canonical {
  if (message.kind === "certificate")
    return { kind: message.kind, certificate: canonicalCertificate(message.certificate) };
  if (message.kind === "change") return { kind: message.kind, change: canonicalChange(message.change) };
  if (message.kind === "vote-request") {
    const { transfer, config, last, ...rest } = message;
    const proof = transfer === undefined ? {} : { transfer: { ...transfer } };
    return { ...rest, config: canonicalConfig(config), last: { ...last }, ...proof };
  }
  if (message.kind === "pre-vote") return { ...message, last: { ...message.last } };
  if (message.kind === "resign") {
    const { successor, ...rest } = message;
    return successor === undefined ? rest : { ...rest, successor };
  }
  return "config" in message ? { ...message, config: canonicalConfig(message.config) } : { ...message };
}

type Kind = Message["kind"];

/** One parser a kind: a message without an entry here does not exist. */
const PARSERS: { readonly [K in Kind]: (value: Fields) => Extract<Message, { kind: K }> } = {
  "pre-vote": (value) => ({
    kind: "pre-vote",
    term: termOf(value),
    founding: text(value["founding"], "founding"),
    cterm: count(value["cterm"], "cterm", MAX_TERM),
    version: count(value["version"], "version"),
    last: parsePosition(value["last"]),
  }),
  "pre-vote-reply": (value) => ({
    kind: "pre-vote-reply",
    term: termOf(value),
    granted: flag(value["granted"], "granted"),
  }),
  "vote-request": (value) => ({
    kind: "vote-request",
    term: termOf(value),
    config: parseConfig(value["config"]),
    last: parsePosition(value["last"]),
    ...(value["transfer"] === undefined
      ? {}
      : { transfer: parseTransfer(fields(value["transfer"], "transfer")) }),
  }),
  "vote-reply": (value) => ({
    kind: "vote-reply",
    term: termOf(value),
    granted: flag(value["granted"], "granted"),
    signature: signatureOf(value["signature"], "signature"),
  }),
  beat: (value) => ({
    kind: "beat",
    term: termOf(value),
    number: count(value["number"], "number"),
    version: count(value["version"], "version"),
  }),
  "beat-ack": (value) => ({
    kind: "beat-ack",
    term: termOf(value),
    number: count(value["number"], "number"),
    cterm: count(value["cterm"], "cterm", MAX_TERM),
    version: count(value["version"], "version"),
  }),
  probe: (value) => ({
    kind: "probe",
    founding: text(value["founding"], "founding"),
    version: count(value["version"], "version"),
  }),
  certificate: (value) => ({ kind: "certificate", certificate: parseCertificate(value["certificate"]) }),
  change: (value) => ({ kind: "change", change: parseChange(value["change"]) }),
  propose: (value) => ({ kind: "propose", term: termOf(value), config: parseConfig(value["config"]) }),
  approval: (value) => ({
    kind: "approval",
    ...parsePledge(value),
    signature: signatureOf(value["signature"], "signature"),
  }),
  resign: (value) => ({
    kind: "resign",
    term: termOf(value),
    ...(value["successor"] === undefined ? {} : { successor: parsePeerId(value["successor"], "successor") }),
  }),
  transfer: (value) => ({ kind: "transfer", ...parseTransfer(value) }),
  found: (value) => ({ kind: "found", ...parsePledge(value) }),
  withdraw: (value) => ({
    kind: "withdraw",
    founding: text(value["founding"], "founding"),
    number: count(value["number"], "number"),
  }),
};

/** @throws InvalidInputError */
export function parseMessage(bytes: Uint8Array): Message {
  const value = fields(decodeCanonical(bytes, { maxBytes: MAX_BYTES, maxDepth: 8 }), "message");
  const kind = value["kind"];
  if (!isKind(kind)) throw new InvalidInputError("kind", "is unknown");
  return PARSERS[kind](value);
}

/** @throws InvalidInputError */
export function parsePresence(input: Canonical): Presence {
  const value = fields(input, "presence");
  const role = value["role"];
  if (role !== "voter" && role !== "observer") throw new InvalidInputError("role", "is unknown");
  return {
    role,
    uptimeMs: count(value["uptimeMs"], "uptimeMs"),
    wants: flag(value["wants"], "wants"),
    eligible: flag(value["eligible"], "eligible"),
    priority: priority(value["priority"]),
    founding: text(value["founding"], "founding"),
  };
}

function isKind(kind: Canonical | undefined): kind is Kind {
  return typeof kind === "string" && Object.hasOwn(PARSERS, kind);
}

function termOf(value: Fields): number {
  return count(value["term"], "term", MAX_TERM);
}

function parseTransfer(value: Fields): TransferProof {
  return { term: termOf(value), signature: signatureOf(value["signature"], "signature") };
}
