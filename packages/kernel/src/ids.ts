import { base32 } from "multiformats/bases/base32";
import { base36 } from "multiformats/bases/base36";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import type { Branded } from "./brand.ts";
import { InvalidInputError } from "./errors.ts";
import { remembered } from "./remembered.ts";

/**
 * A peer's name: its Ed25519 public key as a libp2p-key CIDv1 in base36 (`k51…`, 62 characters).
 * The key can be read back from it, so a signature by a peer is checked without asking anyone.
 */
export type PeerId = Branded<"PeerId">;

/**
 * A content address: CIDv1, base32 lower case, dag-cbor or raw, SHA-256 (59 characters).
 * The last 32 bytes are the SHA-256 of the content, so `sha256sum` checks a block.
 */
export type Cid = Branded<"Cid">;

/** Multicodec of the content behind a {@link Cid}. */
export type CidCodec = "dag-cbor" | "raw";

const DAG_CBOR = 0x71;
const RAW = 0x55;
const SHA2_256 = 0x12;
const LIBP2P_KEY = 0x72;
const IDENTITY = 0x00;
/** Protobuf of `PublicKey { Type: Ed25519, Data: 32 bytes }` up to the key itself (libp2p peer-ids spec). */
const ED25519_PREFIX = Uint8Array.of(0x08, 0x01, 0x12, 0x20);
const ED25519_BYTES = 32;

const codecNumber: Record<CidCodec, number> = { "dag-cbor": DAG_CBOR, raw: RAW };

/** Names an Ed25519 public key (32 bytes). */
export function peerIdFromPublicKey(publicKey: Uint8Array): PeerId {
  if (publicKey.length !== ED25519_BYTES) throw new InvalidInputError("publicKey", "must be 32 bytes");
  const protobuf = new Uint8Array(ED25519_PREFIX.length + ED25519_BYTES);
  protobuf.set(ED25519_PREFIX);
  protobuf.set(publicKey, ED25519_PREFIX.length);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made in canonical form by construction
  return CID.createV1(LIBP2P_KEY, createDigest(IDENTITY, protobuf)).toString(base36) as PeerId;
}

/** The Ed25519 public key (32 bytes) that a peer's name holds. */
export function publicKeyOf(peer: PeerId): Uint8Array {
  return keyIn(peer).slice();
}

/** Accepts the canonical `k51…` form of an Ed25519 peer id only. @throws InvalidInputError */
export function parsePeerId(input: unknown, path = "peer"): PeerId {
  if (typeof input !== "string" || !/^k51[a-z0-9]{59}$/.test(input))
    throw new InvalidInputError(path, "is not a peer id (k51…, 62 characters)");
  let key: Uint8Array;
  try {
    key = keyIn(input);
  } catch (cause) {
    throw new InvalidInputError(path, "is not a peer id (k51…, 62 characters)", cause);
  }
  if (key.length === 0) throw new InvalidInputError(path, "is not an Ed25519 peer id");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked above
  return input as PeerId;
}

/** The Ed25519 key in a name; empty for a key of another kind. Reading base 36 costs as much as half a signature. */
const keyIn = remembered((name) => {
  const { code, multihash } = CID.parse(name, base36);
  const isEd25519 =
    code === LIBP2P_KEY &&
    multihash.code === IDENTITY &&
    multihash.digest.length === ED25519_PREFIX.length + ED25519_BYTES &&
    ED25519_PREFIX.every((byte, i) => multihash.digest[i] === byte);
  return isEd25519 ? multihash.digest.slice(ED25519_PREFIX.length) : new Uint8Array();
}, 1024);

/** Accepts the canonical form only. @throws InvalidInputError */
export function parseCid(input: unknown, path = "cid"): Cid {
  if (typeof input !== "string" || !/^b[a-z2-7]{58}$/.test(input))
    throw new InvalidInputError(path, "is not a content id (CIDv1, base32, 59 characters)");
  let parsed: CID;
  try {
    parsed = CID.parse(input, base32);
  } catch (cause) {
    throw new InvalidInputError(path, "is not a content id (CIDv1, base32, 59 characters)", cause);
  }
  const { version, code, multihash } = parsed;
  const supported =
    version === 1 &&
    (code === DAG_CBOR || code === RAW) &&
    multihash.code === SHA2_256 &&
    multihash.digest.length === 32;
  if (!supported) throw new InvalidInputError(path, "must be dag-cbor or raw with SHA-256");
  if (parsed.toString(base32) !== input) throw new InvalidInputError(path, "is not in canonical form");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked above
  return input as Cid;
}

/** The content address of bytes. `codec` says how to read them, not how they are hashed. */
export async function cidOf(bytes: Uint8Array, codec: CidCodec): Promise<Cid> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  return cidFromDigest(new Uint8Array(digest), codec);
}

/** The content address for a SHA-256 that was computed elsewhere, for example over a stream. */
export function cidFromDigest(sha256: Uint8Array, codec: CidCodec): Cid {
  if (sha256.length !== 32) throw new InvalidInputError("sha256", "must be 32 bytes");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made in canonical form by construction
  return CID.createV1(codecNumber[codec], createDigest(SHA2_256, sha256)).toString(base32) as Cid;
}

/** The SHA-256 (32 bytes) and the codec inside a content address. */
export function partsOfCid(cid: Cid): { sha256: Uint8Array; codec: CidCodec } {
  const { code, multihash } = CID.parse(cid, base32);
  return { sha256: multihash.digest.slice(), codec: code === RAW ? "raw" : "dag-cbor" };
}
