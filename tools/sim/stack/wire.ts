import type { Wire as ElectionWire } from "../election/peer.ts";
import type { AckStatus } from "./client-book.ts";
import type { Command } from "./commands.ts";
import type { Asked, Told } from "./target-book.ts";
import type { Position, StoredEntry } from "./ledger-core.ts";

/** Names one stream of a follower to its leader, over all restarts. */
export type SessionName = string;

/** From a follower on its stream. */
export type ToLeader =
  | { readonly kind: "follow"; readonly probe: Position; readonly committed: Position }
  | { readonly kind: "ack"; readonly index: number }
  | { readonly kind: "fetch" }
  | { readonly kind: "propose"; readonly id: string; readonly command: Uint8Array }
  | { readonly kind: "read"; readonly number: number };

/** From a leader; `place` is its place in the stream. */
export type ToFollower =
  | { readonly kind: "refused" }
  | {
      readonly kind: "entries";
      readonly term: number;
      readonly committed: number;
      readonly entries: readonly StoredEntry[];
    }
  | { readonly kind: "rewind" }
  | { readonly kind: "snapshot"; readonly mark: Position }
  /** One of the snapshot's parts; its content is a function of the log up to the mark. */
  | { readonly kind: "part"; readonly mark: Position; readonly number: number; readonly of: number }
  | { readonly kind: "diverged" }
  | { readonly kind: "committed"; readonly id: string; readonly index: number }
  | { readonly kind: "rejected"; readonly id: string; readonly code: "no-leader" | "disk-full" | "unknown" }
  | { readonly kind: "readable"; readonly number: number; readonly index: number };

/** One frame of a ledger stream, with its place in its direction of it. */
export type LedgerFrame = {
  readonly via: "ledger";
  readonly session: SessionName;
  readonly place: number;
} & (
  | { readonly to: "leader"; readonly message: ToLeader }
  | { readonly to: "follower"; readonly message: ToFollower }
);

/** Between those who ask and the peers. */
export type ClientMessage =
  | { readonly kind: "submit"; readonly request: number }
  | { readonly kind: "ack"; readonly request: number; readonly status: AckStatus }
  /** A person's word, which any peer proposes in its own name. */
  | { readonly kind: "order"; readonly command: Command }
  | { readonly kind: "take-over"; readonly task: string }
  | { readonly kind: "cancel"; readonly task: string }
  | { readonly kind: "canceled"; readonly task: string; readonly state: string };

/** Between peers and what is outside. */
export type TargetMessage =
  | { readonly kind: "ask"; readonly call: string; readonly asked: Asked }
  | { readonly kind: "told"; readonly call: string; readonly told: Told };

/** All that goes over the simulated network. */
export type Wire =
  | { readonly via: "election"; readonly wire: ElectionWire }
  | LedgerFrame
  | { readonly via: "client"; readonly message: ClientMessage }
  | { readonly via: "target"; readonly message: TargetMessage };
