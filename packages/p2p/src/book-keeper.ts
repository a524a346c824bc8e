import type { Clock, PeerId } from "@chorus/kernel";
import type { AddressBook } from "./address-book.ts";
import type { Acquaintance } from "./book-file.ts";

/** What keeping the book is made from. */
export interface BookKeeperContext {
  readonly book: AddressBook;
  readonly clock: Clock;
  readonly connected: () => readonly PeerId[];
  readonly save: (members: readonly Acquaintance[]) => Promise<void>;
}

/** The first news is written at once, a storm of them at this pace: a member may be killed at any time. */
const SAVE_EVERY_MS = 5_000;

/** Writes the members down whenever they change, one write at a time, and for a last time at the end. */
export class BookKeeper {
  readonly #context: BookKeeperContext;
  #dirty = false;
  #nextAt = 0;
  #saving: Promise<void> | undefined;

  constructor(context: BookKeeperContext) {
    this.#context = context;
  }

  changed(): void {
    this.#dirty = true;
  }

  look(now: number): void {
    if (!this.#dirty || now < this.#nextAt || this.#saving !== undefined) return;
    this.#nextAt = now + SAVE_EVERY_MS;
    this.#saving = this.#save().finally(() => {
      this.#saving = undefined;
    });
  }

  /** Also says until when the members were seen. */
  async close(): Promise<void> {
    await this.#saving;
    if (this.#dirty || this.#context.book.acquaintances().length > 0) await this.#save();
  }

  async #save(): Promise<void> {
    this.#dirty = false;
    const { book, clock, connected, save } = this.#context;
    const here = new Set(connected());
    const bootAt = clock.now() - clock.monotonic();
    await save(
      book.acquaintances().map(({ peer, addresses, since }) => ({
        peer,
        addresses,
        seenAt: here.has(peer) ? clock.now() : bootAt + since,
      })),
    );
  }
}
