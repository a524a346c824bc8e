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
  /** Hash of the cluster and its first voters: tells two meshes of one name apart. Terms rise within one founding. */
  readonly founding: string;
  /** Term of the admin that wrote this configuration; 0 for the first one. */
  readonly cterm: number;
  /** Raised by one with every change of the voter set; 1 for the first one. */
  readonly version: number;
  /** Sorted by peer, without duplicates, 1 to 7. */
  readonly voters: readonly Voter[];
}

/** The step from one configuration to the next, which anyone who trusts the one before can check. */
export interface ConfigChange {
  readonly config: ElectionConfig;
  /** By a majority of the voters before, sorted by voter; by all voters for a founding. */
  readonly approvals: readonly SignedVote[];
}

/** A signature of one voter. */
export interface SignedVote {
  readonly voter: PeerId;
  /** Ed25519: for votes in domain `chorus/election-vote/1`, for approvals in `chorus/election-config/1`. */
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

/** A founding as its first voter by name asks the others for it. */
export interface Pledge {
  readonly config: ElectionConfig;
  /** Rises with everything that this proposer ever proposed: the same set, asked for anew, has another one. */
  readonly number: number;
}

/** What must survive a crash for the election to be safe. */
export interface VoteState {
  /** Highest term known. */
  readonly term: number;
  /** The peer that got this peer's vote in `term`. */
  readonly votedFor?: PeerId;
  readonly config?: ElectionConfig;
  /** A configuration before `config`, and the changes from there on: what this peer can prove to others. */
  readonly base?: ElectionConfig;
  readonly changes?: readonly ConfigChange[];
  /** The one founding that this peer has agreed to and that is not complete. */
  readonly pledge?: Pledge;
  /** The number of the last founding that this peer proposed. */
  readonly proposed?: number;
  /** The first configuration as all its voters signed it, where several founded the mesh. */
  readonly founded?: ConfigChange;
  /** The newest certificate that was met: it proves the term that confirmed `config`, also after a restart. */
  readonly certificate?: AdminCert;
}

/** A ballot as it was signed: hash instead of configuration. */
export interface SignedBallot {
  readonly configVersion: number;
  /** SHA-256 of the configuration's canonical form. */
  readonly config: Uint8Array;
  readonly candidate: PeerId;
  readonly signature: Uint8Array;
}

/** Two votes of one voter in one term: it lied, or its disk did. Anyone can check it. */
export interface EquivocationProof {
  readonly cluster: string;
  readonly founding: string;
  readonly term: number;
  readonly voter: PeerId;
  readonly one: SignedBallot;
  readonly other: SignedBallot;
}

/** What happens beside changes of the admin. */
export type ElectionEvent =
  /** The voters changed; also the first configuration that a peer meets. */
  | { readonly kind: "config"; readonly config: ElectionConfig }
  /**
   * This peer's mesh was taken in by another one: terms count from there, and what was open here is to be
   * submitted again.
   */
  | { readonly kind: "folded"; readonly from: string; readonly into: string }
  | { readonly kind: "equivocation"; readonly proof: EquivocationProof }
  /**
   * The voters changed too often while this peer was away: nobody keeps the changes from `own` to `theirs`, two
   * versions of the configuration, and it follows no admin until its vote store is removed.
   */
  | { readonly kind: "left-behind"; readonly own: number; readonly theirs: number }
  /**
   * The mesh counts on this peer's vote, and its vote store is empty: what it promised is lost. It follows the admin
   * and never votes; with another identity it may become a voter again.
   */
  | { readonly kind: "forgotten" };

/** The end of a durable log. */
export interface LogPosition {
  readonly term: number;
  readonly index: number;
}

/** The replicated log that an election protects (Raft 5.4.1 and the oplog commitment check of logless reconfiguration). */
export interface ElectedLog {
  last(): Promise<LogPosition>;
  /** False when the candidate's log ends before this peer's. Asked after the candidate's term is on the disk. */
  mayVoteFor(candidate: PeerId, last: LogPosition): Promise<boolean>;
  /** Whether an entry of this admin term is committed under the current voters: a configuration may be changed (P1). */
  isCommittedIn(term: number): Promise<boolean>;
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
  /** Without one, any voter may lead whatever it has stored elsewhere. */
  readonly log?: ElectedLog;
}

/** Tuning of {@link Election}. */
export interface ElectionOptions {
  /** The mesh's name, 1 to 64 characters: certificates of another one are refused. */
  readonly cluster: string;
  /** A voter votes and may become admin, as long as the configuration names it; an observer never does. */
  readonly role: "voter" | "observer";
  /**
   * The first configuration; a stored one wins over it.
   * @default the founding of `expect` voters; an observer takes the one of the first valid certificate
   */
  readonly voters?: readonly PeerId[];
  /** False for a witness, which votes and never stands. It founds no mesh of its own. @default true */
  readonly eligible?: boolean;
  /** 0 to 100: higher stands earlier, among those that are up for equally long. @default 0 */
  readonly priority?: number;
  /**
   * Voters that found the mesh together, 1 to `maxVoters`: with more than one there is no admin until so many agreed.
   * More than half of the fleet, or two halves may found two meshes. @default 1
   */
  readonly expect?: number;
  /**
   * `fixed`: the voters stay as they are. `automatic`: the admin promotes peers of role `voter` and demotes dead
   * ones, and a mesh of one voter folds into a larger one. @default "fixed"
   */
  readonly policy?: "fixed" | "automatic";
  /** Largest number of voters that the policy makes, 1 to 7. @default 7 */
  readonly maxVoters?: number;
  /** Presence without a gap after which a peer is promoted, milliseconds. @default 60000 */
  readonly promoteAfterMs?: number;
  /** Silence after which a voter is demoted, milliseconds. @default 600000 */
  readonly demoteAfterMs?: number;
  /** `lan`: beat 0.5 s, timeout 2.5 s, lease 1.5 s. `wan`: 2.5 s, 15 s, 10 s. @default "lan" */
  readonly profile?: "lan" | "wan";
}

/** Knows at any time who the admin is. Disposing stops it; an admin that leaves calls {@link handOver} before. */
export interface Election extends AsyncDisposable {
  /** The admin as far as this peer knows, itself included; undefined while there is none or it is lost. */
  admin(): Admin | undefined;
  /** True while this peer is admin and its lease holds. For reads and efficiency: actions are made safe by terms. */
  isAdmin(): boolean;
  /** The highest term on this peer's disk: whoever takes orders refuses those of lower terms. */
  term(): number;
  /** The configuration in force, undefined while there is no founding and no certificate was met. */
  config(): ElectionConfig | undefined;
  /**
   * The current admin first, then every change, until `signal` fires or the election is disposed.
   * A slow reader sees the latest value only.
   */
  changes(options: { readonly signal: AbortSignal }): AsyncIterable<Admin | undefined>;
  /** What happens beside changes of the admin, from now on. A reader that is 64 events behind loses the oldest. */
  events(options: { readonly signal: AbortSignal }): AsyncIterable<ElectionEvent>;
  /**
   * Gives the lead up, to the best voter where there is one, and tells the connected members. This peer does not
   * stand again for two timeouts. Resolves when a successor leads, or two beats have passed; without other voters
   * when the members were told, or one beat has passed. Does nothing on any other peer.
   */
  handOver(): Promise<void>;
}
