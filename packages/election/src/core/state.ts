import type { PeerId } from "@chorus/kernel";
import type {
  AdminCert,
  ConfigChange,
  ElectionConfig,
  LogPosition,
  Pledge,
  SignedVote,
  VoteState,
} from "../contract.ts";
import type { Message, TransferProof } from "../wire.ts";
import type { Lineage } from "./lineage.ts";
import type { Rules } from "./rules.ts";

/** Durations of one profile, milliseconds. Drift of clocks is survived up to (timeout − lease) / (timeout + lease). */
export interface Timing {
  /** Between two beats of the admin. */
  readonly beat: number;
  /** Without a beat for this long, the admin is taken for lost; a voter that acknowledged one votes for nobody. */
  readonly timeout: number;
  /** From the sending of an acknowledged beat. */
  readonly lease: number;
}

export const PROFILES: Readonly<Record<"lan" | "wan", Timing>> = {
  lan: { beat: 500, timeout: 2500, lease: 1500 },
  wan: { beat: 2500, timeout: 15_000, lease: 10_000 },
};

/** Presence, and the admin's certificate, go out on gossip this often. */
export const ANNOUNCE_MS = 5000;
/** A peer that announces nothing for so long is not there. */
export const ABSENT_MS = 3 * ANNOUNCE_MS;
/** Terms rise by one; who claims a leap like this lies, and would use up the terms for all. */
export const MAX_LEAP = 2 ** 32;

export type Role = "observer" | "follower" | "pre-candidate" | "candidate" | "admin";

/** What does not change while a peer runs. */
export interface Settings {
  /** False for an observer by choice: it does not even vote when a configuration names it. */
  readonly mayVote: boolean;
  readonly eligible: boolean;
  readonly priority: number;
  /** Voters that found a mesh together. */
  readonly expect: number;
  readonly automatic: boolean;
  readonly maxVoters: number;
  readonly promoteAfter: number;
  readonly demoteAfter: number;
  /** Whether there is a log to ask before a vote and before a change of the configuration. */
  readonly hasLog: boolean;
}

/** A beat that is waiting for its acknowledgements. */
export interface Round {
  readonly number: number;
  readonly sentAt: number;
  readonly acks: readonly PeerId[];
}

/** A member as its announcements show it; they order and suggest, and decide nothing. */
export interface Seen {
  readonly peer: PeerId;
  readonly at: number;
  /** Since when it announces itself without a gap. */
  readonly since: number;
  readonly uptimeMs: number;
  readonly wants: boolean;
  readonly eligible: boolean;
  readonly priority: number;
  readonly founding: string;
}

/** A voter as its acknowledgements show it. */
export interface Acked {
  readonly at: number;
  readonly cterm: number;
  readonly version: number;
}

/** A configuration, a founding or a fold that collects its approvals. */
export interface Proposal {
  readonly kind: "change" | "founding" | "fold";
  readonly config: ElectionConfig;
  /** The configuration before; none for a founding. */
  readonly previous: ElectionConfig | undefined;
  readonly approvals: readonly SignedVote[];
  readonly since: number;
  /** False until the log said that an entry of this term is committed. */
  readonly open: boolean;
}

/** Another mesh of this cluster, as far as it was followed. */
export interface Foreign extends Lineage {
  readonly certificate: AdminCert;
}

/** All that {@link step} knows. Times are the monotonic clock's. */
export interface State extends Lineage {
  readonly self: PeerId;
  readonly cluster: string;
  readonly timing: Timing;
  readonly rules: Rules;
  readonly settings: Settings;
  readonly role: Role;
  readonly term: number;
  readonly votedFor: PeerId | undefined;
  /** The founding this peer has signed and that is not complete. */
  readonly pledge: Pledge | undefined;
  /** The number of the last founding this peer has proposed. */
  readonly proposed: number;
  /** The founding with the signatures of all: what a voter needs that missed its completion. */
  readonly founded: ConfigChange | undefined;
  /** The newest valid one this peer has met. */
  readonly certificate: AdminCert | undefined;
  /** Whether the certificate's admin still leads, as far as this peer can tell. */
  readonly alive: boolean;
  /** The admin's connection is gone and no stream to it opens. */
  readonly suspected: boolean;
  /** The last term whose admin resigned. */
  readonly resigned: number;
  /** When a beat of the admin was last acknowledged: a promise to vote for nobody until its lease is over. */
  readonly heardAt: number;
  /** Before this moment a restarted voter votes for nobody: it may have forgotten such a promise. */
  readonly holdUntil: number;
  /** When this peer stands, or repeats its round; for an observer, when it takes the admin for lost. */
  readonly deadline: number;
  /** Where this peer's log ended when it last stood. */
  readonly last: LogPosition;
  /** A candidacy waits for the log's end. */
  readonly reading: boolean;
  /** The leaving admin's word, with which this peer stands at once. */
  readonly transfer: TransferProof | undefined;
  /** The vote that waits for the log's verdict. */
  readonly checking: { readonly candidate: PeerId; readonly term: number } | undefined;
  readonly grants: readonly PeerId[];
  readonly votes: readonly SignedVote[];
  readonly wonAt: number;
  readonly leaseUntil: number;
  readonly beatAt: number;
  readonly beatNumber: number;
  readonly rounds: readonly Round[];
  readonly proposal: Proposal | undefined;
  readonly foreign: Foreign | undefined;
  readonly announceAt: number;
  readonly startedAt: number;
  readonly peers: Readonly<Record<string, Seen>>;
  readonly acked: Readonly<Record<string, Acked>>;
  /** State of the random sequence, so that a run can be repeated. */
  readonly seed: number;
}

export type Input =
  | { readonly kind: "tick" }
  | { readonly kind: "message"; readonly from: PeerId; readonly message: Message }
  /** A certificate whose votes were checked against `anchorOf(state)`, or against its own where there is none. */
  | {
      readonly kind: "certificate";
      readonly certificate: AdminCert;
      /** The peer of the stream it came by; undefined for gossip. */
      readonly from: PeerId | undefined;
    }
  /** A change whose approvals were checked against `previous`; undefined for a founding. */
  | {
      readonly kind: "change";
      readonly change: ConfigChange;
      readonly previous: ElectionConfig | undefined;
    }
  /** This peer's own vote for itself, now signed. */
  | { readonly kind: "own-vote"; readonly term: number; readonly signature: Uint8Array }
  /** This peer's approval of its own proposal, now signed. */
  | { readonly kind: "own-approval"; readonly config: ElectionConfig; readonly signature: Uint8Array }
  /** Answer to `read-log`. */
  | { readonly kind: "log-position"; readonly term: number; readonly last: LogPosition }
  /** Answer to `check-log`, with what was asked. */
  | { readonly kind: "log-verdict"; readonly question: LogQuestion; readonly granted: boolean }
  /** Answer to `check-commit`. */
  | { readonly kind: "commit-verdict"; readonly term: number; readonly committed: boolean }
  | ({ readonly kind: "presence"; readonly from: PeerId; readonly uptimeMs: number } & Partial<
      Pick<Seen, "wants" | "eligible" | "priority" | "founding">
    >)
  /** An admin's wish, by hand or in a simulation: these voters next, one apart from those in force. */
  | { readonly kind: "reconfigure"; readonly voters: ElectionConfig["voters"] }
  | { readonly kind: "connected" | "disconnected" | "unreachable"; readonly peer: PeerId }
  /** The machine slept, or its clocks disagree: monotonic time may have stood still. */
  | { readonly kind: "resumed" }
  | { readonly kind: "hand-over" };

/** May this candidate have a vote (or, without a configuration, a promise of one)? */
export interface LogQuestion {
  readonly candidate: PeerId;
  readonly term: number;
  readonly last: LogPosition;
  readonly config?: ElectionConfig;
}

/** To be carried out in order. A `persist` comes first: nothing is said before it is on the disk. */
export type Effect =
  | { readonly kind: "persist"; readonly state: VoteState }
  | { readonly kind: "send"; readonly to: PeerId; readonly message: Message }
  /** To every connected member. */
  | { readonly kind: "broadcast"; readonly message: Message }
  /** Sign a vote and hand it to the candidate: `own-vote` for this peer, a `vote-reply` for another. */
  | {
      readonly kind: "vote";
      readonly candidate: PeerId;
      readonly term: number;
      readonly config: ElectionConfig;
    }
  /** Sign an approval and hand it to the proposer: `own-approval` for this peer, an `approval` for another. */
  | {
      readonly kind: "approve";
      readonly to: PeerId;
      readonly previous: ElectionConfig | undefined;
      readonly config: ElectionConfig;
      /** Of the founding; 0 for a change. */
      readonly number: number;
    }
  /** Sign the hand-over and send a `transfer`. */
  | {
      readonly kind: "transfer";
      readonly to: PeerId;
      readonly term: number;
      readonly config: ElectionConfig;
    }
  /** Ask the log, once all other effects are done: the raised term is then known to everyone here. */
  | { readonly kind: "read-log"; readonly term: number }
  | { readonly kind: "check-log"; readonly question: LogQuestion }
  | { readonly kind: "check-commit"; readonly term: number }
  /** Gossip this admin's certificate. */
  | { readonly kind: "announce"; readonly certificate: AdminCert }
  /** Gossip that this peer is here. */
  | { readonly kind: "presence"; readonly uptimeMs: number }
  | { readonly kind: "transition"; readonly from: Role; readonly to: Role; readonly cause: Cause }
  /** Two sets of votes for one term, the second a certificate: some voters signed twice. */
  | { readonly kind: "equivocation"; readonly one: AdminCert; readonly other: AdminCert }
  /** This peer's mesh was taken in by another. */
  | { readonly kind: "folded"; readonly from: string; readonly into: string }
  /** The others count on votes of this peer that are not on its disk any more. */
  | { readonly kind: "forgotten" }
  /** Another mesh of the same name that this one cannot fold into. */
  | { readonly kind: "stranger"; readonly certificate: AdminCert };

export type Cause =
  | "deadline passed"
  | "quorum would vote"
  | "quorum voted"
  | "lease lapsed"
  | "higher term"
  | "admin heard"
  | "newer configuration"
  | "hand-over"
  | "lead received"
  | "made a voter"
  | "no longer a voter";

/** Every way a voter changes its role; DESIGN.md draws the same. */
export const TRANSITIONS: readonly (readonly [Role, Role, Cause])[] = [
  ["observer", "follower", "made a voter"],
  ["follower", "pre-candidate", "deadline passed"],
  ["follower", "candidate", "lead received"],
  ["follower", "observer", "no longer a voter"],
  ["pre-candidate", "pre-candidate", "deadline passed"],
  ["pre-candidate", "candidate", "quorum would vote"],
  ["pre-candidate", "candidate", "lead received"],
  ["pre-candidate", "follower", "higher term"],
  ["pre-candidate", "follower", "admin heard"],
  ["pre-candidate", "follower", "newer configuration"],
  ["pre-candidate", "observer", "no longer a voter"],
  ["candidate", "admin", "quorum voted"],
  ["candidate", "pre-candidate", "deadline passed"],
  ["candidate", "follower", "higher term"],
  ["candidate", "follower", "admin heard"],
  ["candidate", "follower", "newer configuration"],
  ["candidate", "observer", "no longer a voter"],
  ["admin", "follower", "lease lapsed"],
  ["admin", "follower", "higher term"],
  ["admin", "follower", "hand-over"],
  ["admin", "observer", "no longer a voter"],
];

/** When {@link step} wants a tick if nothing else happens. */
export function wakeAt(state: State): number {
  const own =
    state.role === "admin"
      ? Math.min(state.beatAt, Math.max(state.leaseUntil, state.wonAt + state.timing.lease))
      : state.role === "observer" && !state.alive
        ? Infinity
        : state.deadline;
  return Math.min(own, state.announceAt);
}

/** The admin as this peer knows it. */
export function adminOf(state: State, now: number): AdminCert | undefined {
  if (state.role === "admin") return now < state.leaseUntil ? state.certificate : undefined;
  return state.alive ? state.certificate : undefined;
}
