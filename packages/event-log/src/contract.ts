import type { Canonical, Clock, Logger, Signer } from "@chorus/kernel";

/** A signed statement about the whole log: "with this many entries, its tree has this root". */
export interface Checkpoint {
  /** The log's name, unique in the world. */
  readonly origin: string;
  /** Number of entries. */
  readonly size: number;
  /** RFC 6962 tree root, 32 bytes. */
  readonly root: Uint8Array;
  /** The statement as a C2SP signed note with an Ed25519 signature (type 0x01) by the key named `origin`. */
  readonly note: string;
}

/** What a proof is checked against: the part of a {@link Checkpoint} that its signature vouches for. */
export type TreeHead = Pick<Checkpoint, "size" | "root">;

/** One entry. */
export interface LogEntry {
  /** Position, from 0. */
  readonly seq: number;
  readonly event: Canonical;
  /** The event's canonical encoding, which the tree is built over. */
  readonly bytes: Uint8Array;
}

/** What an append gives, once it is on disk. */
export interface Appended {
  /** Position of the first of the appended events. */
  readonly first: number;
  /** Number of entries in the log after them. Others appended at the same time may lie in between. */
  readonly size: number;
  /** Covers the appended events. */
  readonly checkpoint: Checkpoint;
}

/** What {@link EventLog.verify} found. */
export interface LogReport {
  /** Entries that were read and hashed. */
  readonly checked: number;
  /** Entries that the newest checkpoint promises. */
  readonly size: number;
  /** Empty when the log is what its checkpoint says. At most 100. */
  readonly problems: readonly string[];
}

/** An append-only log of one writer, provable to anyone who holds its checkpoints. */
export interface EventLog extends AsyncDisposable {
  /**
   * Appends all or nothing and resolves when the events and a checkpoint over them are on disk.
   * Appends made at the same time share one write to disk.
   * A signal cancels only what has not yet begun to be written.
   * @throws `event-log/behind`, `event-log/forked` or `event-log/corrupt` when the log is read-only;
   *   `event-log/disk` (retryable: nothing was appended); `event-log/closed`; `kernel/invalid-input`
   */
  append(events: readonly Canonical[], options?: { readonly signal?: AbortSignal }): Promise<Appended>;
  /**
   * Entries in order, `from` (default 0) up to but not including `to` (default: the size now, or no end with
   * `live`). With `live` it goes on with new entries until `to`, `break`, the signal or disposal. Every entry is
   * checked against its leaf hash; a log that is read-only can be read.
   * @throws `event-log/corrupt`; `signal.reason` when cancelled
   */
  read(options?: {
    readonly from?: number;
    readonly to?: number;
    readonly live?: boolean;
    readonly signal?: AbortSignal;
  }): AsyncIterable<LogEntry>;
  /** The newest checkpoint on disk. @throws `event-log/corrupt` when it cannot be read */
  head(): Checkpoint;
  /** RFC 6962 audit path of entry `seq` in the tree of `size` entries, leaf to root. */
  prove(seq: number, size: number): Promise<readonly Uint8Array[]>;
  /** RFC 6962 consistency proof that the tree of `b` entries starts with the tree of `a` entries, `a` ≥ 1. */
  consistency(a: number, b: number): Promise<readonly Uint8Array[]>;
  /** Reads and hashes everything again. A problem makes the log read-only. */
  verify(options?: { readonly signal?: AbortSignal }): Promise<LogReport>;
  /**
   * Takes back a checkpoint of this log that a peer holds; ask peers for theirs before the first append.
   * The largest is kept beside the database: a log that is shorter (a restored backup) refuses appends instead
   * of signing a second history; one that contradicts it turns read-only, and both checkpoints are kept as
   * evidence in `<file>.evidence`. Resolves also then: `append` tells.
   * @throws `event-log/bad-checkpoint` when it is not this log's
   */
  confirm(note: string): Promise<void>;
}

export interface EventLogComponents {
  /** Signs checkpoints. A log belongs to one signer for good. */
  readonly signer: Signer;
  /** Waits out `commitWindowMs`. */
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface EventLogOptions {
  /**
   * Path of the database. Its directory must exist and be writable; nobody else may have it open. `<file>-wal`
   * and `<file>.guard` belong to it: back them up together.
   */
  readonly file: string;
  /** The log's name in checkpoints, and its key's name: 1–128 of printable ASCII, no spaces or `+`; for example `demo.chorus/peer/k51…`. */
  readonly origin: string;
  /** How long an append waits for others to share its write to disk, in milliseconds. @default 0 */
  readonly commitWindowMs?: number;
  /** Largest encoded event in bytes. One append takes at most 4096 events. @default 65536 */
  readonly maxEventBytes?: number;
}
