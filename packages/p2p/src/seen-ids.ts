import type { PeerId } from "@chorus/kernel";

/** What identifies a message of one sender. */
export interface Stamp {
  readonly id: string;
  /** Milliseconds since the epoch by the sender's clock. */
  readonly ts: number;
}

/**
 * `again`: this very neighbour has handed the message over before. `forgotten`: too old to tell; a message that was
 * overtaken by thousands of others looks like this too, so nobody is to blame.
 */
export type Sighting = "new" | "seen" | "again" | "forgotten";

interface Seen {
  readonly ts: number;
  /** Who has handed it over; gossip itself drops most duplicates, so there are rarely two. */
  readonly sources: PeerId[];
}

interface Sender {
  readonly ids: Map<string, Seen>;
  /** Anything of this sender that is not newer may have been forgotten, so it counts as seen. */
  floor: number;
}

const MAX_IDS = 4096;
const MAX_SENDERS = 1024;
const MAX_SOURCES = 8;

/**
 * Remembers messages for as long as the clock window would let them in again, in bounded memory: when a
 * sender has too many, its oldest is forgotten and everything as old as that is refused from then on.
 */
export class SeenIds {
  readonly #windowMs: number;
  readonly #senders = new Map<PeerId, Sender>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Anything but `new` must not be delivered: it has been seen, or may have been. */
  add(
    from: PeerId,
    { id, ts, source, now }: Stamp & { readonly source: PeerId; readonly now: number },
  ): Sighting {
    const sender = this.#senders.get(from) ?? { ids: new Map<string, Seen>(), floor: -1 };
    const seen = sender.ids.get(id);
    if (seen !== undefined) return sighted(seen, source);
    if (ts <= sender.floor) return "forgotten";
    // Insertion order doubles as order of use: the sender heard longest ago is the first.
    this.#senders.delete(from);
    this.#senders.set(from, sender);
    sender.ids.set(id, { ts, sources: [source] });
    this.#prune(sender, now);
    return "new";
  }

  #prune(sender: Sender, now: number): void {
    for (const [id, { ts }] of sender.ids) {
      const outOfWindow = ts < now - this.#windowMs;
      if (!outOfWindow && sender.ids.size <= MAX_IDS) break;
      sender.ids.delete(id);
      if (!outOfWindow) sender.floor = Math.max(sender.floor, ts);
    }
    for (const peer of this.#senders.keys()) {
      if (this.#senders.size <= MAX_SENDERS) break;
      this.#senders.delete(peer);
    }
  }
}

function sighted({ sources }: Seen, source: PeerId): Sighting {
  if (sources.includes(source)) return "again";
  if (sources.length < MAX_SOURCES) sources.push(source);
  return "seen";
}
