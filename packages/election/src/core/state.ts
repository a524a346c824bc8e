import type { PeerId } from "@chorus/kernel";
import type { AdminCert, ElectionConfig, SignedVote, VoteState } from "../contract.ts";
import type { Message } from "../wire.ts";
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

export type Role = "observer" | "follower" | "pre-candidate" | "candidate" | "admin";

/** A beat that is waiting for its acknowledgements. */
export interface Round {
  readonly number: number;
  readonly sentAt: number;
  readonly acks: readonly PeerId[];
}

/** All that {@link step} knows. Times are the monotonic clock's. */
export interface State {
  readonly self: PeerId;
  readonly cluster: string;
  readonly timing: Timing;
  readonly rules: Rules;
  readonly role: Role;
  readonly term: number;
  readonly votedFor: PeerId | undefined;
  readonly config: ElectionConfig | undefined;
  /** The newest valid one this peer has met. */
  readonly certificate: AdminCert | undefined;
  /** Whether the certificate's admin still leads, as far as this peer can tell. */
  readonly alive: boolean;
  /** The last term whose admin resigned. */
  readonly resigned: number;
  /** When a beat of the admin was last acknowledged: a promise to vote for nobody until one timeout later. */
  readonly heardAt: number;
  /** Before this moment a restarted voter votes for nobody: it may have forgotten such a promise. */
  readonly holdUntil: number;
  /** When this peer stands, or repeats its round; for an observer, when it takes the admin for lost. */
  readonly deadline: number;
  readonly grants: readonly PeerId[];
  readonly votes: readonly SignedVote[];
  readonly wonAt: number;
  readonly leaseUntil: number;
  readonly beatAt: number;
  readonly beatNumber: number;
  readonly rounds: readonly Round[];
  readonly announceAt: number;
  readonly startedAt: number;
  /** Uptimes of other voters as they state them: they order candidacies and decide nothing. */
  readonly uptimes: Readonly<Record<string, { readonly uptimeMs: number; readonly at: number }>>;
  /** State of the random sequence, so that a run can be repeated. */
  readonly seed: number;
}

export type Input =
  | { readonly kind: "tick" }
  | { readonly kind: "message"; readonly from: PeerId; readonly message: Message }
  /** A certificate whose votes were checked against `state.config`, or against its own where there is none. */
  | {
      readonly kind: "certificate";
      readonly certificate: AdminCert;
      /** The peer of the stream it came by; undefined for gossip. */
      readonly from: PeerId | undefined;
    }
  /** This peer's own vote for itself, now signed. */
  | { readonly kind: "own-vote"; readonly term: number; readonly signature: Uint8Array }
  | { readonly kind: "presence"; readonly from: PeerId; readonly uptimeMs: number }
  | { readonly kind: "connected" | "disconnected" | "unreachable"; readonly peer: PeerId }
  | { readonly kind: "hand-over" };

/** To be carried out in order. A `persist` comes first: nothing is said before it is on the disk. */
export type Effect =
  | { readonly kind: "persist"; readonly state: VoteState }
  | { readonly kind: "send"; readonly to: PeerId; readonly message: Message }
  /** To every connected member. */
  | { readonly kind: "broadcast"; readonly message: Message }
  /** Sign a vote in the given configuration and hand it to the candidate, which may be this peer. */
  | {
      readonly kind: "vote";
      readonly candidate: PeerId;
      readonly term: number;
      readonly config: ElectionConfig;
    }
  | { readonly kind: "announce"; readonly certificate: AdminCert }
  | { readonly kind: "presence"; readonly uptimeMs: number }
  | { readonly kind: "transition"; readonly from: Role; readonly to: Role; readonly cause: Cause }
  /** Two certificates for one term: some voters signed twice. */
  | { readonly kind: "equivocation"; readonly one: AdminCert; readonly other: AdminCert };

export type Cause =
  | "deadline passed"
  | "quorum would vote"
  | "quorum voted"
  | "lease lapsed"
  | "higher term"
  | "admin heard"
  | "hand-over";

/** Every way a voter changes its role; DESIGN.md draws the same. */
export const TRANSITIONS: readonly (readonly [Role, Role, Cause])[] = [
  ["follower", "pre-candidate", "deadline passed"],
  ["pre-candidate", "pre-candidate", "deadline passed"],
  ["pre-candidate", "candidate", "quorum would vote"],
  ["pre-candidate", "follower", "higher term"],
  ["pre-candidate", "follower", "admin heard"],
  ["candidate", "admin", "quorum voted"],
  ["candidate", "pre-candidate", "deadline passed"],
  ["candidate", "follower", "higher term"],
  ["candidate", "follower", "admin heard"],
  ["admin", "follower", "lease lapsed"],
  ["admin", "follower", "higher term"],
  ["admin", "follower", "hand-over"],
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
