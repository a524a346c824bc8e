import type { Clock, Logger, PeerId } from "@chorus/kernel";
import { AddressBook, type Candidate } from "./address-book.ts";
import type { Acquaintance } from "./book-file.ts";
import { BookKeeper } from "./book-keeper.ts";
import type { Conduct } from "./conduct.ts";

/** What keeping the mesh whole needs from it. */
export interface MeshControl {
  readonly self: PeerId;
  /** Peers with an open connection. */
  connected(): readonly PeerId[];
  /** Connected peers that speak gossip but have no gossip stream with us. */
  mute(): readonly PeerId[];
  /** Connected peers whose messages gossip itself has found invalid lately. */
  misbehaving(): readonly PeerId[];
  dial(candidate: Candidate, signal: AbortSignal): Promise<void>;
  /** Whom a connected member knows. */
  ask(peer: PeerId, signal: AbortSignal): Promise<readonly Candidate[]>;
  /** Breaks every connection to the peer. */
  drop(peer: PeerId, reason: string): void;
}

/** What the loop is made from. */
export interface UpkeepContext {
  readonly mesh: MeshControl;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isRevoked: (peer: PeerId) => boolean;
  readonly conduct: Pick<Conduct, "offend" | "refusedUntil">;
  /** Keeps the members for the next start. */
  readonly save: (members: readonly Acquaintance[]) => Promise<void>;
}

const TICK_MS = 1_500;
/** Timers round down: without this the loop would spin for the last fraction of a millisecond. */
const MIN_REST_MS = 5;
const MAX_DIALS = 16;
/** Looks at a connection without gossip before it is broken, so that both sides open their streams anew. */
const MUTE_TICKS = 4;

/**
 * After a new connection members are asked for others soon and then less and less often: two peers that join
 * the same member at one moment are introduced by the second question at the latest.
 */
const FIRST_ASK_MS = 250;
const LAST_ASK_MS = 15_000;

/**
 * What libp2p does not do by itself: it dials what is discovered, has members introduce each other, brings lost
 * members back for as long as it takes, replaces connections whose gossip streams have died, lets go of peers that
 * were revoked or keep breaking the rules, and keeps the members for the next start.
 */
export class Upkeep implements AsyncDisposable {
  readonly #context: UpkeepContext;
  readonly #book: AddressBook;
  readonly #keeper: BookKeeper;
  readonly #stop = new AbortController();
  readonly #dialling = new Map<PeerId, Promise<void>>();
  readonly #muteTicks = new Map<PeerId, number>();
  #watchAt = 0;
  #asking: Promise<void> | undefined;
  #rotation = 0;
  readonly #newcomers = new Set<PeerId>();
  #askAt = 0;
  #askEveryMs = LAST_ASK_MS;
  #poke: (() => void) | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(context: UpkeepContext) {
    this.#context = context;
    this.#book = new AddressBook(context.mesh.self);
    this.#keeper = new BookKeeper({
      ...context,
      book: this.#book,
      connected: () => context.mesh.connected(),
    });
  }

  /** Begins to dial and watch, until disposed. */
  start(): void {
    this.#loop = this.#run();
  }

  /** Members from before a restart. */
  remember(members: readonly Acquaintance[]): void {
    const ageMs = (seenAt: number): number => Math.max(0, this.#context.clock.now() - seenAt);
    for (const { seenAt, ...candidate } of members)
      this.#note((now) => this.#book.remember(candidate, now - ageMs(seenAt), now));
  }

  want(candidate: Candidate): void {
    this.#note((now) => this.#book.want(candidate, now));
  }

  hint(candidate: Candidate): void {
    if (!this.#context.isRevoked(candidate.peer)) this.#note((now) => this.#book.hint(candidate, now));
  }

  learn(candidate: Candidate): void {
    this.#note((now) => {
      this.#book.learn(candidate, now);
      this.#keeper.changed();
      this.#newcomers.add(candidate.peer);
      this.#askEveryMs = FIRST_ASK_MS;
      this.#askAt = now;
    });
  }

  /** The members that this node is connected to, for those that ask. */
  known(): readonly Candidate[] {
    return this.#book.trusted(this.#context.mesh.connected());
  }

  connected(peer: PeerId): void {
    this.#note((now) => this.#book.connected(peer, now));
    this.#keeper.changed();
  }

  /** The peer said that it leaves: it will not be searched for. */
  left(peer: PeerId): void {
    this.#note((now) => this.#book.left(peer, now));
  }

  lost(peer: PeerId): void {
    this.#muteTicks.delete(peer);
    this.#newcomers.delete(peer);
    this.#note((now) => this.#book.lost(peer, now));
    this.#keeper.changed();
  }

  /** Where a peer that is not connected may be found. */
  find(peer: PeerId): Candidate | undefined {
    return this.#book.find(peer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#poke?.();
    await this.#loop;
    await Promise.allSettled([...this.#dialling.values(), this.#asking]);
    await this.#keeper.close();
  }

  #note(change: (now: number) => void): void {
    change(this.#context.clock.monotonic());
    this.#poke?.();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      let restMs = TICK_MS;
      try {
        this.#step(this.#context.clock.monotonic());
        restMs = this.#untilNext();
      } catch (error) {
        this.#context.logger.warn("upkeep failed, it goes on", { error });
      }
      await this.#rest(restMs);
    }
  }

  #step(now: number): void {
    if (now >= this.#watchAt) {
      this.#watch();
      this.#watchAt = now + TICK_MS;
    }
    if (now >= this.#askAt && this.#asking === undefined)
      this.#asking = this.#askNext(now).finally(() => {
        this.#asking = undefined;
        this.#poke?.();
      });
    this.#dialDue(now);
    this.#keeper.look(now);
  }

  async #askNext(now: number): Promise<void> {
    const { mesh, logger } = this.#context;
    const peer = this.#nextToAsk();
    this.#askAt = this.#newcomers.size > 0 ? now : now + this.#askEveryMs;
    if (this.#newcomers.size === 0) this.#askEveryMs = Math.min(this.#askEveryMs * 2, LAST_ASK_MS);
    if (peer !== undefined)
      try {
        for (const candidate of await mesh.ask(peer, this.#stop.signal)) this.hint(candidate);
      } catch (error) {
        logger.debug("introductions failed", { peer, error });
      }
  }

  /** Newcomers first; then one after the other, so that the answers of all come together in time. */
  #nextToAsk(): PeerId | undefined {
    const peers = this.#context.mesh.connected();
    for (const newcomer of this.#newcomers) {
      this.#newcomers.delete(newcomer);
      if (peers.includes(newcomer)) return newcomer;
    }
    return peers[this.#rotation++ % peers.length];
  }

  /** For so long, or until something is learned. */
  async #rest(ms: number): Promise<void> {
    const poked = new AbortController();
    this.#poke = () => poked.abort();
    await this.#context.clock.sleep(ms, { signal: poked.signal }).catch(() => undefined);
    this.#poke = undefined;
  }

  #untilNext(): number {
    const dialAt = this.#dialling.size < MAX_DIALS ? this.#book.nextAt(this.#isConnected()) : Infinity;
    const askAt = this.#asking === undefined ? this.#askAt : Infinity;
    const next = Math.min(askAt, this.#watchAt, dialAt);
    return Math.max(next - this.#context.clock.monotonic(), MIN_REST_MS);
  }

  #isConnected(): (peer: PeerId) => boolean {
    const connected = new Set(this.#context.mesh.connected());
    return (peer) => connected.has(peer) || this.#dialling.has(peer);
  }

  #dialDue(now: number): void {
    const { isRevoked, conduct } = this.#context;
    // More handshakes at once would only make all of them late.
    const room = Math.max(0, MAX_DIALS - this.#dialling.size);
    for (const candidate of this.#book.due(now, this.#isConnected()).slice(0, room)) {
      const refusedUntil = conduct.refusedUntil(candidate.peer);
      if (isRevoked(candidate.peer)) this.#book.forget(candidate.peer);
      else if (refusedUntil !== undefined) this.#book.postpone(candidate.peer, refusedUntil);
      else this.#dialling.set(candidate.peer, this.#dial(candidate));
    }
  }

  async #dial(candidate: Candidate): Promise<void> {
    const { mesh, clock, logger } = this.#context;
    const { peer } = candidate;
    let failure: unknown;
    try {
      await mesh.dial(candidate, this.#stop.signal);
    } catch (error) {
      failure = error;
    }
    // Also after a success: a connection that does not last must not be dialled in a tight loop.
    const often = this.#book.failed(peer, clock.monotonic());
    if (often) logger.warn("a peer cannot be reached, still trying", { ...candidate, error: failure });
    else if (failure !== undefined) logger.debug("dial failed", { peer, error: failure });
    this.#dialling.delete(peer);
    this.#poke?.();
  }

  #watch(): void {
    const { mesh, isRevoked, conduct } = this.#context;
    for (const peer of mesh.connected()) if (isRevoked(peer)) mesh.drop(peer, "revoked");
    for (const peer of mesh.misbehaving()) conduct.offend(peer, "invalid gossip messages");
    const mute = new Set(mesh.mute());
    for (const peer of this.#muteTicks.keys()) if (!mute.has(peer)) this.#muteTicks.delete(peer);
    for (const peer of mute) {
      const ticks = (this.#muteTicks.get(peer) ?? 0) + 1;
      this.#muteTicks.set(peer, ticks);
      if (ticks < MUTE_TICKS) continue;
      this.#muteTicks.delete(peer);
      mesh.drop(peer, "gossip streams lost");
    }
  }
}
