import type { Canonical, Cid, PeerId } from "@chorus/kernel";

/** Why an address was refused; `UcxlError.code` is `ucxl/` and one of these. */
export type AddressFault =
  | "empty"
  | "scheme"
  | "incomplete"
  | "name"
  | "cid-syntax"
  | "cid-type"
  | "temporal"
  | "temporal-instant"
  | "segment-char"
  | "not-nfc"
  | "utf8"
  | "dot-segment"
  | "empty-segment"
  | "segment-long"
  | "too-deep"
  | "too-long"
  | "userinfo"
  | "port"
  | "query"
  | "fragment";

/** Which version of a lane an address means. */
export type Time =
  /** The newest version, or the one `back` versions before it. */
  | { readonly kind: "latest"; readonly back: number }
  | { readonly kind: "first" }
  /** The version with this sequence number, from 1. */
  | { readonly kind: "version"; readonly seq: number }
  /** The last version at or before this time, milliseconds since the epoch, whole seconds. */
  | { readonly kind: "instant"; readonly atMs: number }
  /** Exactly this record; whoever resolves it checks that the record's lane is the address's lane. */
  | { readonly kind: "cid"; readonly cid: Cid };

/** Names content by its hash alone: `ucxl://<cid>[/path]`. */
interface ImmutableAddress {
  readonly kind: "immutable";
  readonly cid: Cid;
  /** Decoded segments, at most 32. */
  readonly path: readonly string[];
}

/** Names content by who decided what, when: `ucxl://project/task/role/agent/@time[/path]`. */
export interface LaneAddress {
  /** `pattern` when a part is `*` (it lists, and never names one record), `pinned` when the time is a CID. */
  readonly kind: "semantic" | "pinned" | "pattern";
  readonly project: string;
  /** A name, or `*`. */
  readonly task: string;
  /** A name, or `*`. */
  readonly role: string;
  /** A name, a peer id, or `*`. */
  readonly agent: string;
  /** `project/task/role/agent`: what has one history. */
  readonly lane: string;
  readonly time: Time;
  /** Decoded segments, at most 32. */
  readonly path: readonly string[];
}

/** A parsed address. Two addresses are equal when their canonical texts are. */
export type Address = ImmutableAddress | LaneAddress;

/** What {@link Address} is made of, for building one; a missing time means the newest version. */
export type AddressParts =
  | { readonly cid: Cid; readonly path?: readonly string[] }
  | {
      readonly project: string;
      readonly task: string;
      readonly role: string;
      readonly agent: string;
      readonly time?: Time;
      readonly path?: readonly string[];
    };

/** Media types are RFC 6838 names in lower case, with optional parameters, at most 127 characters. */
export type DecisionBody =
  /** At most 128 KiB. */
  | { readonly mediaType: string; readonly bytes: Uint8Array }
  | { readonly mediaType: string; readonly cid: Cid };

/** Something outside the record that it rests on, held by its hash. */
export interface Evidence {
  readonly rel: "log" | "test" | "diff" | "artifact" | "prompt" | "message";
  readonly cid: Cid;
  readonly mediaType: string;
  /** Size of the whole content in bytes. */
  readonly size: number;
  /** The part that counts, in bytes; within `size`. */
  readonly range?: { readonly offset: number; readonly length: number };
}

/**
 * Decision record, version 1. Its canonical DAG-CBOR bytes are what is hashed, addressed and signed.
 * Names are 1–48 characters of `a-z 0-9 - _ .`, starting and ending with a letter or digit.
 */
export interface Decision {
  readonly $type: "chorus.decision/1";
  /** 16 random bytes, so that nobody can confirm a guess of the content by its hash. */
  readonly salt: Uint8Array;
  readonly cluster: string;
  readonly project: string;
  readonly task: string;
  readonly role: string;
  /** The author: the peer that signs. `name` is what people call it; the peer is what is verified. */
  readonly agent: { readonly peer: PeerId; readonly name?: string };
  /** Position in the author's lane, from 1. */
  readonly seq: number;
  /** The record before this one in the lane; null exactly when `seq` is 1. */
  readonly prev: Cid | null;
  /** Records in other lanes that led here: at most 16, sorted, no repeats. */
  readonly parents: readonly Cid[];
  /** What sort of decision this is: a name, for example `task-result`. */
  readonly kind: string;
  readonly status: "proposed" | "accepted" | "rejected" | "superseded" | "withdrawn";
  /** 1–200 characters on one line. */
  readonly title: string;
  readonly body: DecisionBody;
  /** At most 64. */
  readonly evidence: readonly Evidence[];
  /** The record that this one replaces. */
  readonly supersedes?: Cid;
  /** The author's confidence in parts per million, 0–1,000,000: records hold no floats. */
  readonly confidencePpm?: number;
  /** The model that took part; `params` is the address of its parameters. */
  readonly model?: { readonly provider: string; readonly name: string; readonly params?: Cid };
  /** Milliseconds since the epoch by the author's clock: a claim, not a proof. */
  readonly createdAt: number;
  /** For whom the record was meant, and the epoch of their key. */
  readonly audience: { readonly role: string; readonly epoch: number };
  /** For decisions of the admin: the term it acted in. */
  readonly adminTerm?: { readonly configVersion: number; readonly term: number };
  /** What is not part of version 1: at most 32 entries under names, at most 16 KiB encoded. */
  readonly ext?: { readonly [name: string]: Canonical };
}

/** A decision to encode: `$type` and a random `salt` are filled in when missing. */
export type DecisionDraft = Omit<Decision, "$type" | "salt"> & {
  readonly $type?: Decision["$type"];
  readonly salt?: Uint8Array;
};

/** What encoding a decision gives. */
export interface EncodedDecision {
  /** Canonical DAG-CBOR, at most 256 KiB. */
  readonly bytes: Uint8Array;
  /** Content id of `bytes`; its last 32 bytes are their SHA-256. */
  readonly cid: Cid;
  /** `ucxl://<cid>`. */
  readonly address: string;
  /** `ucxl://project/task/role/<author's peer id>/@v<seq>`. */
  readonly laneAddress: string;
}

/**
 * Record bytes with detached signatures: a DSSE envelope whose signatures are plain Ed25519 (RFC 8032), so that
 * any DSSE verifier checks them. It is plain data that `encodeCanonical` takes; to keep signatures apart from the
 * record, store them without `payload`.
 */
export type SignedDecision = {
  readonly payloadType: "application/vnd.chorus.decision.v1+cbor";
  readonly payload: Uint8Array;
  /** 1–16, one a signer; `keyid` is the signer's peer id. */
  readonly signatures: readonly { readonly keyid: PeerId; readonly sig: Uint8Array }[];
};

/** A decision that has been checked, and who vouches for it. */
export interface VerifiedDecision extends EncodedDecision {
  readonly decision: Decision;
  /** `project/task/role/<author's peer id>`. */
  readonly lane: string;
  /** Everyone who signed, the author among them. */
  readonly signers: readonly PeerId[];
}

/** What the caller knows about the record it asked for; each part that is given is checked. */
export interface Expectations {
  readonly cluster?: string;
  /** The hash it was asked for by. */
  readonly cid?: Cid;
  /** The address it was asked for by, canonical: CID, lane and version have to agree with it. */
  readonly address?: string;
  /** The verified record before it in its lane; null when there must be none. */
  readonly previous?: VerifiedDecision | null;
  /** Peers that must be among the signers, besides the author. */
  readonly signers?: readonly PeerId[];
}

/** The records of one lane, checked as a chain. */
export interface VerifiedHistory {
  readonly lane: string;
  /** Oldest first, without gaps. */
  readonly records: readonly VerifiedDecision[];
  /** True when the first record is the lane's first. */
  readonly complete: boolean;
}

/** Why a record was refused: `detail.reason` of the error with code `ucxl/verification-failed`. */
export type VerificationFault =
  | "envelope"
  | "record"
  | "cid"
  | "cluster"
  | "signature"
  | "author"
  | "signers"
  | "address"
  | "chain"
  | "equivocation";
