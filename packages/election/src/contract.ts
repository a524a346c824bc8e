import type { Clock, Logger, PeerId, PubSub, Signer, Streams } from "@chorus/kernel";

/** One member that votes. */
export interface Voter {
  readonly peer: PeerId;
  /** False for a witness: it votes and never stands. */
  readonly eligible: boolean;
  /** Higher stands earlier. It orders candidates and never outvotes anyone. */
  readonly priority: number;
}

/** Who decides. A quorum is a majority of `voters`, never of the peers that happen to be visible. */
export interface ElectionConfig {
  readonly cluster: string;
  /** Term of the admin that wrote this configuration; 0 for the first one. */
  readonly cterm: number;
  /** Raised by one with every change of the voter set; 1 for the first one. */
  readonly version: number;
  /** Sorted by peer, without duplicates, 1 to 7. */
  readonly voters: readonly Voter[];
}

/** A vote in one term. */
export interface SignedVote {
  readonly voter: PeerId;
  /** Ed25519 in domain `chorus/election-vote/1`, over {@link AdminCert} without its votes. */
  readonly signature: Uint8Array;
}

/** Proof that a quorum elected this admin; every peer can check it without asking anyone. */
export interface AdminCert {
  /** The configuration the votes were cast in; each vote signs its hash. */
  readonly config: ElectionConfig;
  readonly term: number;
  readonly candidate: PeerId;
  /** At least a majority of `config.voters`, sorted by voter. */
  readonly votes: readonly SignedVote[];
}

/** The one legitimate admin of a term. */
export interface Admin {
  readonly peer: PeerId;
  /** Strictly rising from admin to admin: whoever acts on orders keeps the highest and refuses lower ones. */
  readonly term: number;
  readonly certificate: AdminCert;
}

/** What must survive a crash for the election to be safe. */
export interface VoteState {
  /** Highest term known. */
  readonly term: number;
  /** The peer that got this peer's vote in `term`. */
  readonly votedFor?: PeerId;
  readonly config?: ElectionConfig;
}

/** Keeps one {@link VoteState}. Whoever makes it disposes it, after the election. */
export interface VoteStore extends Disposable {
  /** @returns undefined when nothing was ever saved. @throws `election/store-failed` for unreadable content */
  load(): Promise<VoteState | undefined>;
  /** Resolves once the state is on the disk: the next power cut does not lose it. */
  save(state: VoteState): Promise<void>;
}

/** Ports of {@link Election}; all belong to the caller. */
export interface ElectionComponents {
  readonly streams: Streams;
  readonly pubsub: PubSub;
  readonly signer: Signer;
  readonly store: VoteStore;
  readonly clock: Clock;
  /** Uniform in [0, 1), as `Math.random`: spreads candidacies in time. */
  readonly random: () => number;
  readonly logger: Logger;
}

/** Tuning of {@link Election}. */
export interface ElectionOptions {
  /** The mesh's name: certificates of another one are refused. */
  readonly cluster: string;
  /** A voter keeps votes and may become admin; an observer follows certificates. */
  readonly role: "voter" | "observer";
  /**
   * The first configuration; a stored one wins over it.
   * @default `[self]` for a voter; an observer takes the one of the first valid certificate and then keeps it
   */
  readonly voters?: readonly PeerId[];
  /** `lan`: beat 0.5 s, timeout 2.5 s, lease 1.5 s. `wan`: 2.5 s, 15 s, 10 s. @default "lan" */
  readonly profile?: "lan" | "wan";
}

/** Knows at any time who the admin is. Disposing stops it; an admin that leaves calls {@link handOver} before. */
export interface Election extends AsyncDisposable {
  /** The admin as far as this peer knows, itself included; undefined while there is none or it is lost. */
  admin(): Admin | undefined;
  /** True while this peer is admin and its lease holds. For reads and efficiency: actions are made safe by terms. */
  isAdmin(): boolean;
  /** The configuration in force, undefined for an observer that has met no certificate yet. */
  config(): ElectionConfig | undefined;
  /**
   * The current admin first, then every change, until `signal` fires or the election is disposed.
   * A slow reader sees the latest value only.
   */
  changes(options: { readonly signal: AbortSignal }): AsyncIterable<Admin | undefined>;
  /**
   * Gives the lead up and tells the connected members, which know at once. This peer does not stand again for
   * two timeouts. Resolves when the members were told or one beat has passed; does nothing on any other peer.
   */
  handOver(): Promise<void>;
}
