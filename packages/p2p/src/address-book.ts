import type { PeerId } from "@chorus/kernel";

/** A peer to dial, and where. */
export interface Candidate {
  readonly peer: PeerId;
  readonly addresses: readonly string[];
}

interface Entry {
  readonly peer: PeerId;
  /** What the peer itself told us over an authenticated connection, or the operator wrote down. */
  trusted: readonly string[];
  /** What anyone on the network may have claimed (mDNS, provider records). */
  hinted: readonly string[];
  /** A bootstrap peer, or one that has been connected. */
  wanted: boolean;
  /** Written down by the operator. */
  listed: boolean;
  /** Has been connected at some time, perhaps before a restart. */
  met: boolean;
  /** When it said goodbye, until it comes back (monotonic). */
  leftAt: number | undefined;
  /** When it was last seen, or first wanted (monotonic). */
  since: number;
  failures: number;
  nextAt: number;
}

const MAX_ENTRIES = 1024;
const MAX_ADDRESSES = 16;
const FAILURES_BEFORE_WARNING = 5;
/** Both sides learn of each other at the same moment; the one with the larger name leaves the first dial to the other. */
const TIE_BREAK_MS = 1_000;
const FIRST_RETRY_MS = 1_500;
/** A member that stays away is asked for less often, but for ever: a partition of an hour heals within this. */
const MAX_WANTED_RETRY_MS = 15_000;
const MAX_UNWANTED_RETRY_MS = 60_000;
/** Container hosts leave many dead names behind: one that has been away for a day is asked for once in this time. */
const LONG_AWAY_RETRY_MS = 300_000;
const DAY_MS = 86_400_000;
/** Who said goodbye comes back by itself. This is for one that has forgotten everyone; after a day it is forgotten too. */
const LEFT_RETRY_MS = 600_000;
/** So long others may still speak of a member that has said goodbye to them as well. */
const LEFT_DEAF_MS = 5_000;

/**
 * Who to dial, where, and when next. libp2p forgets addresses after an hour and gives up on lost peers, so
 * it is not asked. Times are monotonic milliseconds; nothing here waits or dials.
 */
export class AddressBook {
  readonly #self: PeerId;
  readonly #entries = new Map<PeerId, Entry>();

  constructor(self: PeerId) {
    this.#self = self;
  }

  /** A peer that must be dialled until it answers. */
  want({ peer, addresses }: Candidate, now: number): void {
    const entry = this.#entry(peer, now);
    if (entry === undefined) return;
    entry.wanted = true;
    entry.listed = true;
    entry.trusted = merged(addresses, entry.trusted);
    entry.nextAt = now;
  }

  /** A member from before a restart; dialled like one that was lost. @param since when it was last seen */
  remember({ peer, addresses }: Candidate, since: number, now: number): void {
    const entry = this.#entry(peer, now);
    if (entry === undefined) return;
    entry.wanted = true;
    entry.met = true;
    entry.since = since;
    entry.trusted = merged(entry.trusted, addresses);
    entry.nextAt = now;
  }

  /** Someone says that this peer is there. News about a peer brings its next dial forward, repetition does not. */
  hint({ peer, addresses }: Candidate, now: number): void {
    const known = this.#entries.get(peer);
    const entry = this.#entry(peer, now);
    if (entry === undefined || now - (entry.leftAt ?? -Infinity) < LEFT_DEAF_MS) return;
    const news = addresses.some((address) => !entry.hinted.includes(address));
    entry.hinted = merged(addresses, entry.hinted);
    if (known === undefined || entry.wanted || news)
      entry.nextAt = Math.min(entry.nextAt, now + this.#courtesy(peer));
  }

  /** A connected peer told us where it listens. */
  learn({ peer, addresses }: Candidate, now: number): void {
    const entry = this.#entry(peer, now);
    if (entry === undefined || addresses.length === 0) return;
    entry.trusted = addresses.slice(0, MAX_ADDRESSES);
  }

  connected(peer: PeerId, now: number): void {
    const entry = this.#entry(peer, now);
    if (entry === undefined) return;
    entry.wanted = true;
    entry.met = true;
    entry.leftAt = undefined;
    entry.failures = 0;
    entry.since = now;
  }

  /** A connected peer says that it leaves on purpose. */
  left(peer: PeerId, now: number): void {
    const entry = this.#entry(peer, now);
    if (entry) entry.leftAt = now;
  }

  /** Not to be dialled before then. */
  postpone(peer: PeerId, until: number): void {
    const entry = this.#entries.get(peer);
    if (entry) entry.nextAt = Math.max(entry.nextAt, until);
  }

  lost(peer: PeerId, now: number): void {
    const entry = this.#entry(peer, now);
    if (entry === undefined) return;
    entry.since = now;
    entry.nextAt = now + (entry.leftAt === undefined ? this.#courtesy(peer) : LEFT_RETRY_MS);
  }

  /** @returns true once, when a peer that is wanted has failed often enough for its operator to hear of it */
  failed(peer: PeerId, now: number): boolean {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return false;
    if (entry.leftAt !== undefined && !entry.listed && now - entry.leftAt > DAY_MS) {
      this.#entries.delete(peer);
      return false;
    }
    entry.failures++;
    entry.nextAt = now + retryAfter(entry, now);
    return entry.wanted && entry.failures === FAILURES_BEFORE_WARNING;
  }

  forget(peer: PeerId): void {
    this.#entries.delete(peer);
  }

  /** Peers whose turn it is, the longest due first, save those that need no dial. */
  due(now: number, isConnected: (peer: PeerId) => boolean): Candidate[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.nextAt <= now && !isConnected(entry.peer))
      .sort((a, b) => a.nextAt - b.nextAt)
      .map(candidate)
      .filter(({ addresses }) => addresses.length > 0);
  }

  /** When the next dial is due; Infinity when there is none. */
  nextAt(isConnected: (peer: PeerId) => boolean): number {
    const waiting = [...this.#entries.values()].filter(
      ({ peer, trusted, hinted }) => trusted.length + hinted.length > 0 && !isConnected(peer),
    );
    return waiting.reduce((earliest, { nextAt }) => Math.min(earliest, nextAt), Infinity);
  }

  /** Everyone who was ever connected and said where it listens, with the time it was last seen (monotonic). */
  acquaintances(): readonly (Candidate & { readonly since: number })[] {
    return [...this.#entries.values()].flatMap(({ peer, met, trusted, since }) =>
      met && trusted.length > 0 ? [{ peer, addresses: trusted, since }] : [],
    );
  }

  /** What these peers said of themselves; without those that said nothing. */
  trusted(peers: readonly PeerId[]): readonly Candidate[] {
    return peers.flatMap((peer) => {
      const addresses = this.#entries.get(peer)?.trusted ?? [];
      return addresses.length > 0 ? [{ peer, addresses }] : [];
    });
  }

  find(peer: PeerId): Candidate | undefined {
    const entry = this.#entries.get(peer);
    return entry && candidate(entry);
  }

  #courtesy(peer: PeerId): number {
    return this.#self < peer ? 0 : TIE_BREAK_MS;
  }

  #entry(peer: PeerId, now: number): Entry | undefined {
    if (peer === this.#self) return undefined;
    const known = this.#entries.get(peer);
    if (known) return known;
    this.#makeRoom();
    const entry: Entry = {
      peer,
      trusted: [],
      hinted: [],
      wanted: false,
      listed: false,
      met: false,
      leftAt: undefined,
      since: now,
      failures: 0,
      nextAt: Infinity,
    };
    this.#entries.set(peer, entry);
    return entry;
  }

  /** Claims about peers that were never met go first, then the member that was away longest. */
  #makeRoom(): void {
    if (this.#entries.size < MAX_ENTRIES) return;
    const [worst] = [...this.#entries.values()].sort(
      (a, b) => Number(a.wanted) - Number(b.wanted) || a.since - b.since,
    );
    if (worst) this.#entries.delete(worst.peer);
  }
}

/** In turns, a peer's own word first: where it says it is may be where it was, and there may be many of those. */
function candidate({ peer, trusted, hinted }: Entry): Candidate {
  const turns = Array.from({ length: MAX_ADDRESSES }, (_, i) => [trusted[i], hinted[i]]).flat();
  return {
    peer,
    addresses: merged(
      turns.filter((address) => address !== undefined),
      [],
    ),
  };
}

/** The first list before the second, each address once. */
function merged(first: readonly string[], second: readonly string[]): readonly string[] {
  return [...new Set([...first, ...second])].slice(0, MAX_ADDRESSES);
}

function retryAfter({ wanted, listed, leftAt, since, failures }: Entry, now: number): number {
  if (leftAt !== undefined) return LEFT_RETRY_MS;
  if (wanted && !listed && now - since > DAY_MS) return LONG_AWAY_RETRY_MS;
  const wish = wanted ? (now - since) / 20 : FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10);
  const most = wanted ? MAX_WANTED_RETRY_MS : MAX_UNWANTED_RETRY_MS;
  return Math.min(Math.max(wish, FIRST_RETRY_MS), most);
}
