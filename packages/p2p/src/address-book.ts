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
    entry.trusted = merged(addresses, entry.trusted);
    entry.nextAt = now;
  }

  /** Someone says that this peer is there. News about a peer brings its next dial forward, repetition does not. */
  hint({ peer, addresses }: Candidate, now: number): void {
    const known = this.#entries.get(peer);
    const entry = this.#entry(peer, now);
    if (entry === undefined) return;
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
    entry.failures = 0;
    entry.since = now;
  }

  lost(peer: PeerId, now: number): void {
    const entry = this.#entry(peer, now);
    if (entry === undefined) return;
    entry.since = now;
    entry.nextAt = now + this.#courtesy(peer);
  }

  /** @returns true once, when a peer that is wanted has failed often enough for its operator to hear of it */
  failed(peer: PeerId, now: number): boolean {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return false;
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
    const entry = { peer, trusted: [], hinted: [], wanted: false, since: now, failures: 0, nextAt: Infinity };
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

function retryAfter({ wanted, since, failures }: Entry, now: number): number {
  const wish = wanted ? (now - since) / 20 : FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10);
  const most = wanted ? MAX_WANTED_RETRY_MS : MAX_UNWANTED_RETRY_MS;
  return Math.min(Math.max(wish, FIRST_RETRY_MS), most);
}
