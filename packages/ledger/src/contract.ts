import type { Clock, Logger, PeerId, Streams } from "@chorus/kernel";

/** One committed command. */
export interface LogEntry {
  /** From 1, rising. Some are missing: a new admin opens its term with an entry of the ledger's own. */
  readonly index: number;
  /** The admin term it was appended in; never falls from entry to entry. */
  readonly term: number;
  /** At most 16 KiB; the meaning is the machine's. */
  readonly command: Uint8Array;
}

/** An entry as it is kept and sent. */
export interface StoredEntry extends LogEntry {
  /** Name of the proposal, unique within the window in which duplicates are recognised. */
  readonly id: string;
  /** SHA-256 over the previous entry's checksum and this entry: one flipped bit breaks the chain. */
  readonly checksum: Uint8Array;
}

/**
 * Turns committed entries into a state. `initial` and `apply` are pure and never throw; `apply` gives the same on
 * every peer, so it reads no clock, no randomness and nothing outside its arguments.
 */
export interface StateMachine<S, R> {
  initial(): S;
  apply(state: S, entry: LogEntry): { readonly state: S; readonly result: R };
  /**
   * The state as parts of at most 48 KiB, from which {@link restore} makes the same state on any peer. What it needs
   * is captured in the call: the parts are made one by one later, between entries that are applied meanwhile, so each
   * takes a few milliseconds at most. Results (`R`) are then plain data in canonical form, as the ledger keeps them too.
   * @default nothing is ever truncated
   */
  snapshot?(state: S): Iterable<Uint8Array>;
  /** There with {@link snapshot}, or neither. @throws on parts that no `snapshot` made */
  restore?(parts: Iterable<Uint8Array>): S;
}

/** Who leads. An `Election` fits; so does anything that gives rising terms and at most one holder of each. */
export interface Leadership {
  admin(): { readonly peer: PeerId; readonly term: number } | undefined;
  /** True while this peer leads and may append. */
  isAdmin(): boolean;
  /** Fires with the current value and whenever one of the above may have changed. */
  changes(options: { readonly signal: AbortSignal }): AsyncIterable<unknown>;
  /** Whose disks count in force now; it may change at any time, by one voter. @default the admin alone */
  config?():
    | {
        readonly voters: readonly { readonly peer: PeerId }[];
        /** Within which terms count: a log belongs to one founding, and is read-only in any other. @default there is one */
        readonly founding?: string;
      }
    | undefined;
  /**
   * The highest term this peer has saved. An election raises it, and shows it here, before it asks
   * {@link ElectedLog.mayVoteFor}: then a copy that counts is one that the vote has seen.
   * @default there are no elections: one admin for ever, who is the only voter
   */
  term?(): number;
  /** Gives the lead up; does nothing on any other peer. Called when this peer leads and its log turned read-only. */
  handOver?(): Promise<void>;
}

/** End of a log, as votes compare it. */
export interface LogPosition {
  readonly term: number;
  /** 0 where the log is empty. */
  readonly index: number;
}

/** What an election asks of this peer's log. Where that is read-only, every question is rejected: it neither leads nor votes. */
export interface ElectedLog {
  /** The last entry on this peer's disk, committed or not. */
  last(): Promise<LogPosition>;
  /** False when the candidate lacks something that this disk has and that may be committed (Raft, 5.4.1). */
  mayVoteFor(candidate: PeerId, last: LogPosition): Promise<boolean>;
  /**
   * At the admin: true once an entry of this term is committed, and a majority of the voters in force holds all that
   * is; until then no voter may be added or removed. False elsewhere, and while no ledger runs over the store.
   */
  isCommittedIn(term: number): Promise<boolean>;
}

/** An end of a log: index, term and checksum of its last entry. */
export type LogMark = Pick<StoredEntry, "index" | "term" | "checksum">;

/** A state, and the outcomes that are remembered with it, in place of the entries up to a mark. */
export interface SnapshotHead extends LogMark {
  readonly parts: number;
  /** Checksum of the last part: as with entries, each one's covers all before it, and the mark. */
  readonly digest: Uint8Array;
}

/** A piece of a snapshot as it is kept and sent. */
export interface SnapshotPart {
  readonly bytes: Uint8Array;
  readonly checksum: Uint8Array;
}

/** Keeps the log, and the newest snapshot. Whoever makes it disposes it, after the ledger. */
export interface LogStore extends Disposable {
  /** Index of the last entry, that of {@link base} where none is kept. */
  last(): Promise<number>;
  /** Highest index known to be committed, at most {@link last}. */
  committed(): Promise<number>;
  /** The last entry that was removed with all before it: the log begins after it. Undefined when it is whole. */
  base(): Promise<LogMark | undefined>;
  /**
   * Entries `from`, `from + 1`, … in order, at most `limit`; fewer at the end. A missing index ends the answer, so
   * there are none where `from` is not after {@link base}.
   */
  read(from: number, limit: number): Promise<readonly StoredEntry[]>;
  /**
   * Adds entries that follow the last one, and raises the commit index, as one step: all or nothing.
   * Resolves once they are on the disk.
   * @throws `ledger/disk-full` (retryable) when nothing was kept for lack of room
   */
  append(entries: readonly StoredEntry[], committed: number): Promise<void>;
  /** Removes the entries after `index`, which is not below {@link committed}. Durable when it resolves. */
  truncateAfter(index: number): Promise<void>;
  /** The founding of the mesh that this log belongs to, undefined while it belongs to none. */
  founding(): Promise<string | undefined>;
  /** Durable when it resolves, and for good. */
  adopt(founding: string): Promise<void>;
  /** The newest whole snapshot. */
  snapshot(): Promise<SnapshotHead | undefined>;
  /** Parts from number `from` (0 is the first) on, at most `limit`, of the snapshot or of what is staged. */
  readParts(of: "snapshot" | "staged", from: number, limit: number): Promise<readonly SnapshotPart[]>;
  /** How many parts of the next snapshot are here, and under which name; undefined when there is none. */
  staged(): Promise<{ readonly name: string; readonly parts: number } | undefined>;
  /**
   * Adds parts to the next snapshot; `from` is the number of those that are staged under that name. 0 begins anew and
   * drops what was staged. A crash may lose the last of them, and never one in the middle.
   * @throws `ledger/disk-full` (retryable) when nothing was kept for lack of room
   */
  stage(name: string, from: number, parts: readonly SnapshotPart[]): Promise<void>;
  /** Drops what is staged. */
  unstage(): Promise<void>;
  /**
   * Makes what is staged the snapshot, removes the entries up to `base`, raises the commit index to the snapshot's, and
   * where its mark is not in the log removes all entries; as one step, durable when it resolves.
   * @param base a mark of this log or the snapshot's own, not after it
   * @throws `ledger/disk-full` (retryable) when nothing was changed for lack of room
   */
  install(head: SnapshotHead, base: LogMark): Promise<void>;
  /** Gives back some of the room of what was removed, briefly. @returns false when nothing is left to do */
  sweep(): Promise<boolean>;
}

/** Ports of {@link Ledger}; all belong to the caller. */
export interface LedgerComponents<S, R> {
  readonly streams: Streams;
  readonly leadership: Leadership;
  readonly store: LogStore;
  readonly machine: StateMachine<S, R>;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Asked by the admin before it appends a command, several at a time; proposals keep their order. When it rejects,
   * nothing is appended and the proposal fails with `ledger/refused`. A repetition of what is committed is not asked about.
   * @default every command of a member is appended
   */
  readonly admit?: (command: Uint8Array) => Promise<void>;
}

/** Tuning of {@link Ledger}. */
export interface LedgerOptions {
  /**
   * Milliseconds in which proposals are gathered for one disk write while the one before waits for its quorum; where
   * nothing waits the write begins at once. 0 gathers only what is already waiting. @default 5
   */
  readonly commitWindowMs?: number;
  /** Durable copies, the admin's included, that a committed proposal waits for, as far as peers are connected. @default 2 */
  readonly ackReplicas?: number;
  /** Longest wait for those copies, milliseconds; after it the proposal succeeds with fewer. @default 50 */
  readonly replicaWaitMs?: number;
  /** Longest wait for a leader and its answer, milliseconds. @default 5000 */
  readonly proposeTimeoutMs?: number;
  /** Entries back from the end within which a repeated proposal id is recognised. @default 10000 */
  readonly dedupWindow?: number;
  /**
   * Entries after which a snapshot takes the place of the log's head; with a large state later, so that no more is
   * written for snapshots than four times the commands. @default 10000
   */
  readonly snapshotEntries?: number;
  /** Bytes of commands after which that happens too. @default 16 MiB */
  readonly snapshotBytes?: number;
  /** Entries before a snapshot that are kept for followers that are a little behind. @default 4096 */
  readonly snapshotTrail?: number;
}

/** A committed proposal. */
export interface Proposed<R> {
  readonly index: number;
  readonly term: number;
  /** Disks known to hold it when this was answered, the admin's included. */
  readonly replicas: number;
  /** What this peer's own machine answered. */
  readonly result: R;
}

/** Whether the ledger takes part; `error` says why it stopped. */
export interface LedgerStatus {
  /** `read-only`: what was applied can be read, nothing is appended, served or followed until an operator acts. */
  readonly mode: "live" | "read-only" | "closed";
  readonly error?: Error;
}

/** A log that every member holds in the same order, and the state it makes. Disposing stops it. */
export interface Ledger<S, R> extends AsyncDisposable {
  /**
   * Appends a command, on any peer: the others forward to the admin. Resolves when a quorum of the voters has it on
   * disk and it is applied here.
   * @param options.id name of the proposal, 1 to 64 characters; a repeat within the window answers with the first
   * outcome and appends nothing. @default random
   * @throws `ledger/no-leader`, `ledger/outcome-unknown` (repeat with `detail.id`), `ledger/refused`, `ledger/too-large`,
   * `ledger/disk-full`, `ledger/closed`, `ledger/corrupt`; `signal.reason` when cancelled, where the outcome is unknown too
   */
  propose(
    command: Uint8Array,
    options?: { readonly signal?: AbortSignal; readonly id?: string },
  ): Promise<Proposed<R>>;
  /** The machine's state after {@link appliedIndex}. */
  state(): S;
  appliedIndex(): number;
  /**
   * Committed entries from an index (at least 1) on, live, until `signal` fires or the ledger is disposed.
   * @throws `ledger/truncated` when entries from there on, or from where the reader is, are no longer here: the first
   * that is has `detail.first`, and {@link state} has what the others made
   */
  entries(options: { readonly from: number; readonly signal: AbortSignal }): AsyncIterable<LogEntry>;
  /**
   * Resolves when {@link state} has everything that was committed anywhere before the call; any peer asks the admin,
   * whose lease rules out another one. Without an admin it waits.
   */
  read(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Resolves when {@link appliedIndex} has reached `index`. */
  waitFor(index: number, options: { readonly signal: AbortSignal }): Promise<void>;
  status(): LedgerStatus;
}
