import type { PeerId } from "@chorus/kernel";
import type { Draft, Position } from "../chain.ts";
import type { StoredEntry } from "../contract.ts";

/** What one peer knows of the log that the voters share. */
export interface State {
  /** Known once this peer has led. */
  readonly self: PeerId | undefined;
  readonly role: "idle" | "leader" | "follower";
  /** Term of the leader this log works for, or worked for last. */
  readonly term: number;
  /** Whose disks make a quorum, in the configuration in force. */
  readonly voters: readonly PeerId[];
  /** True where there are no elections: the one voter's disk decides, whatever term an entry is of. */
  readonly fixed: boolean;
  readonly committed: Position;
  /** On this peer's disk and not known to be committed. */
  readonly tail: readonly StoredEntry[];
  /** Follower: where its log is compared with the leader's, until the first entries come. */
  readonly probe: Position | undefined;
  /** Follower: its log is the leader's up to here. */
  readonly matched: Position | undefined;
  /** Leader: how far each disk, its own included, is known to hold its log. */
  readonly copies: ReadonlyMap<PeerId, number>;
}

/** `elected` is always the election's highest term at this peer, read just before the step. */
export type Input =
  | { readonly kind: "lead"; readonly self: PeerId; readonly term: number; readonly elected: number }
  /** A conversation with a leader begins. */
  | { readonly kind: "follow"; readonly term: number; readonly elected: number }
  /** Nobody is served or followed any more. */
  | { readonly kind: "rest" }
  | { readonly kind: "voters"; readonly voters: readonly PeerId[]; readonly elected: number }
  | { readonly kind: "append"; readonly drafts: readonly Draft[] }
  /** What a `store` effect asked for is on the disk. */
  | { readonly kind: "stored"; readonly elected: number }
  /** A follower has this leader's log on its disk up to an index. */
  | { readonly kind: "copied"; readonly by: PeerId; readonly term: number; readonly index: number }
  /** The leader does not have the probed position. */
  | { readonly kind: "rewind"; readonly term: number }
  /** The leader has a snapshot in place of the entries that this log lacks. */
  | { readonly kind: "offer"; readonly term: number; readonly mark: Position; readonly elected: number }
  /** The offered snapshot is here as a whole. */
  | { readonly kind: "install"; readonly term: number; readonly mark: Position; readonly elected: number }
  | {
      readonly kind: "entries";
      readonly term: number;
      readonly committed: number;
      readonly entries: readonly StoredEntry[];
      readonly elected: number;
    };

/** To be carried out in order; when `store` fails, the step has not happened and the rest is not done. */
export type Effect =
  /** Removes what follows `keep`, adds entries, notes what is committed; then comes the input `stored`. */
  | {
      readonly kind: "store";
      readonly keep: number;
      readonly entries: readonly StoredEntry[];
      readonly committed: number;
    }
  | { readonly kind: "apply"; readonly entries: readonly StoredEntry[] }
  /** Fetches the offered snapshot. */
  | { readonly kind: "fetch" }
  /** Puts the snapshot in the place of the whole log; then comes the input `stored`. */
  | { readonly kind: "install"; readonly mark: Position }
  /** Asks the leader whether it has the probe; `committed` tells it where the two logs must agree. */
  | { readonly kind: "ask"; readonly probe: Position; readonly committed: Position }
  /** Tells the leader what is durable here. */
  | { readonly kind: "acknowledge"; readonly index: number }
  /** The input is against the rules or out of date; nothing changed. */
  | { readonly kind: "refuse"; readonly problem: Refusal };

/** What a follower has to say to its leader after a step. */
export type Reply = Extract<Effect, { kind: "ask" | "acknowledge" | "fetch" }>;

export function isReply(effect: Effect): effect is Reply {
  return effect.kind === "ask" || effect.kind === "acknowledge" || effect.kind === "fetch";
}

export type Refusal =
  | "a newer term is known"
  | "the term is behind the log"
  | "this peer does not lead"
  | "this peer does not follow that leader"
  | "an entry does not continue the log"
  | "the snapshot is behind the log"
  | "committed entries differ";

/** The rules that make the log safe; a test switches one off to see that it is missed. */
export interface Rules {
  /** A copy counts only while no newer term was known after its flush. */
  readonly termAfterFlush: boolean;
  /** Entries of older terms count only below a committed one of the leader's own term (Raft, 5.4.2). */
  readonly ownTermFirst: boolean;
  /** A follower acknowledges what is flushed and not what is received. */
  readonly flushFirst: boolean;
  /** Nothing is committed here beyond what was compared with the leader's log. */
  readonly commitMatchedOnly: boolean;
  /** The voters change only when a quorum of those in force holds what is committed (MongoDB's logless P1). */
  readonly settledByVotersNow: boolean;
}

export const RULES: Rules = {
  termAfterFlush: true,
  ownTermFirst: true,
  flushFirst: true,
  commitMatchedOnly: true,
  settledByVotersNow: true,
};

/** A log as it was found on the disk. */
export interface Start {
  readonly fixed: boolean;
  readonly committed: Position;
  readonly tail: readonly StoredEntry[];
}

export function start(from: Start): State {
  return {
    ...from,
    self: undefined,
    role: "idle",
    term: lastOf(from).term,
    voters: [],
    probe: undefined,
    matched: undefined,
    copies: new Map(),
  };
}

/** The end of the log on this peer's disk. */
export function lastOf({ tail, committed }: Pick<State, "tail" | "committed">): Position {
  return tail.at(-1) ?? committed;
}

/** The position at an index of the tail, or at the committed end. */
export function positionOf({ tail, committed }: State, index: number): Position | undefined {
  return index === committed.index ? committed : tail[index - committed.index - 1];
}
