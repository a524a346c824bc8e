import type { Cid, Clean, Clock, Logger, PeerId, Signer, Streams } from "@chorus/kernel";

/** How the bytes behind a {@link Cid} are read; decides the address, not the storage. */
export type Codec = "dag-cbor" | "raw";

/**
 * What a blob is to the mesh: bounds and life time.
 *
 * | class | plaintext at most | kept |
 * |---|---|---|
 * | `decision` | 256 KiB | for ever |
 * | `artifact` | `maxArtifactBytes`, default 256 MiB | 90 days |
 * | `ephemeral` | 16 MiB | 24 hours |
 */
export type BlobClass = "decision" | "artifact" | "ephemeral";

/** Cancels a call; it then rejects with `signal.reason`. */
export interface Cancel {
  readonly signal?: AbortSignal;
}

export interface PutOptions extends Cancel {
  readonly codec: Codec;
  readonly class: BlobClass;
  /** Milliseconds since the epoch, after which no peer answers the blob. @default by class */
  readonly expiresAt?: number;
}

/** How many disks hold something when the call returned. More copies may follow in the background. */
export interface Durability {
  /** Copies known to be on disk (fsynced): `acks.length`. */
  readonly replicas: number;
  /** Who confirmed a copy on disk, this peer first. */
  readonly acks: readonly PeerId[];
  /**
   * True when there are fewer copies than W = min(2, N), where N counts this peer, the connected ones, and
   * every storage peer it has ever talked to: one lost disk may lose the blob. The missing copies are made when
   * peers appear. A peer that is alone and never met another is not degraded with its single copy.
   */
  readonly degraded: boolean;
}

export interface PutResult extends Durability {
  /** The address: the hash of the plaintext. */
  readonly cid: Cid;
}

/** What the author of a lane says about it; the storage numbers, chains and signs it. */
export interface HeadDraft {
  /**
   * `project/task/role/agent`, four parts. Where `agent` is a peer id, only that peer may write the lane; a
   * plain name belongs to the author who was seen first.
   */
  readonly lane: string;
  /** 1 or more; must be greater than every number used before in this lane. */
  readonly seq: number;
  /** The newest record of the lane. */
  readonly cid: Cid;
  /** Milliseconds since the epoch, after which the head is no longer answered. @default never */
  readonly validUntil?: number;
}

/** A signed statement by the author of a lane: "this is its newest record". */
export interface Head extends HeadDraft {
  readonly author: PeerId;
  /** SHA-256 of the encoded head before this one; null when the author knew none. */
  readonly prevHeadHash: Uint8Array | null;
  /** Ed25519 signature by `author`, 64 bytes. */
  readonly sig: Uint8Array;
}

export interface HeadResult extends Durability {
  readonly head: Head;
}

/**
 * Encrypted, signed and replicated storage. Addresses are the hashes of plaintext; what leaves the process,
 * to disk or to peers, is ciphertext in a signed envelope.
 */
export interface DhtStorage extends AsyncDisposable {
  /**
   * Stores bytes on this disk and on others. Resolves once W copies are on disk, or with `degraded: true` when
   * the connected peers cannot give that many. Up to 1 MiB is copied before the call returns; do not change
   * more than that while it runs. The same bytes again are a repeat that completes missing copies and never
   * shortens their life. A cancelled call may leave the copy on this disk, and its copying goes on.
   * @throws `dht-storage/too-large`, `dht-storage/full`, `dht-storage/io`, `dht-storage/closed`
   */
  put(bytes: Clean<Uint8Array>, options: PutOptions): Promise<PutResult>;
  /**
   * As {@link put}, for inputs that should not stand in memory: at most a few MiB are held. Chunks may have any
   * size; the source is read once, and left (`return()`) when the call fails.
   */
  putStream(source: AsyncIterable<Clean<Uint8Array>>, options: PutOptions): Promise<PutResult>;
  /**
   * The plaintext behind an address: from this disk, else from peers. Every byte has been verified (ciphertext
   * hash, author's signature, authenticated decryption, hash of the plaintext).
   * @returns undefined when no reachable peer holds it, or it has expired
   * @throws `dht-storage/bad-copies` when copies were found and none was right; `dht-storage/no-key`
   */
  get(cid: Cid, options?: Cancel): Promise<Uint8Array | undefined>;
  /**
   * As {@link get}, in chunks of at most 64 KiB, for one reader. Nothing is yielded before the whole plaintext
   * has been verified: a blob over 1 MiB is brought to this disk first (as ciphertext; an interrupted transfer
   * goes on where it stopped), so it needs room below `capacityBytes`.
   */
  getStream(cid: Cid, options?: Cancel): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** True when this disk holds a complete copy that has not expired. Asks no peer. */
  has(cid: Cid): Promise<boolean>;
  /**
   * Signs and publishes the newest record of a lane. Known peers are asked for the lane first, so that an author
   * with a lost disk does not repeat a number. The same head again is a repeat, not an error.
   * @throws `dht-storage/rollback` for a lower seq, `dht-storage/equivocation` for the same seq with another cid
   */
  putHead(head: HeadDraft, options?: Cancel): Promise<HeadResult>;
  /**
   * The head with the highest seq among this disk and the connected peers. The highest seq ever seen is
   * remembered: an older head is never answered again.
   * @returns undefined when nobody knows the lane or the head is past `validUntil`
   * @throws `dht-storage/equivocation` when the highest seq has two heads; both are in `error.heads`
   */
  head(lane: string, options?: Cancel): Promise<Head | undefined>;
}

/** Who can read what is stored. */
export interface Keys {
  /**
   * `secret`: only holders of the cluster secret can read. `none`: anybody who knows the cluster's name can
   * read, so the encryption protects nothing; storage says so in a warning when it opens.
   */
  readonly level: "secret" | "none";
  /** Names the key in the public envelope: `mesh`, or `open` at level `none`. */
  readonly role: string;
  /** The epoch that new blobs are sealed to, from 1. */
  readonly epoch: number;
  /** age recipients (`age1…`) that new blobs are sealed to. Never empty. */
  readonly recipients: readonly string[];
  /** age identities (`AGE-SECRET-KEY-1…`) for one role and epoch; empty when this peer holds none. Secret. */
  identities(role: string, epoch: number): readonly string[];
}

/** Finds peers that hold something but are not among the connected ones; a DHT's provider records. */
export interface Routing {
  provide(key: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>;
  providers(key: Uint8Array, options: { readonly signal: AbortSignal }): AsyncIterable<PeerId>;
}

export interface StorageComponents {
  readonly streams: Streams;
  /** Without it only connected peers are asked. */
  readonly routing?: Routing;
  readonly signer: Signer;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface StorageOptions {
  /** Made when missing. Belongs to one process at a time and to one cluster. */
  readonly directory: string;
  /** Name of the mesh; blobs of another one are refused. */
  readonly cluster: string;
  /** Ciphertext bytes held at most, own and others'. @default 10 GiB */
  readonly capacityBytes?: number;
  /** Largest artifact, plaintext. @default 256 MiB */
  readonly maxArtifactBytes?: number;
  /** Keep a copy of what was read from peers. Blobs over 1 MiB are always kept. @default true */
  readonly keepReads?: boolean;
  /** A peer that sends nothing for so long while it is asked counts as gone. @default 10 000 */
  readonly peerTimeoutMs?: number;
}
