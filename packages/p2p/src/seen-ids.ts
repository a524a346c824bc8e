import type { PeerId } from "@chorus/kernel";

/** What identifies a message of one sender. */
export interface Stamp {
  readonly id: string;
  /** Milliseconds since the epoch by the sender's clock. */
  readonly ts: number;
}

interface Sender {
  readonly ids: Map<string, number>;
  /** Anything of this sender that is not newer may have been forgotten, so it counts as seen. */
  floor: number;
}

const MAX_IDS = 4096;
const MAX_SENDERS = 1024;

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

  /** False when this message has been seen, or may have been. */
  add(from: PeerId, { id, ts }: Stamp, now: number): boolean {
    const sender = this.#senders.get(from) ?? { ids: new Map<string, number>(), floor: -1 };
    if (ts <= sender.floor || sender.ids.has(id)) return false;
    // Insertion order doubles as order of use: the sender heard longest ago is the first.
    this.#senders.delete(from);
    this.#senders.set(from, sender);
    sender.ids.set(id, ts);
    this.#prune(sender, now);
    return true;
  }

  #prune(sender: Sender, now: number): void {
    for (const [id, ts] of sender.ids) {
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
