import type { Host } from "@chorus/sim";
import type { Kept } from "./feed.ts";
import type { Lead } from "./lead.ts";
import type { StackLog } from "./log.ts";
import type { Wire } from "./wire.ts";

/** Proposals are gathered for so long, as in the package. */
const WINDOW_MS = 2;

interface Item {
  readonly id: string;
  readonly command: Uint8Array;
  readonly done: (kept: Kept) => void;
}

/** The admin's writer: many proposals share one write, and each name is written once. */
export class Appender {
  readonly #host: Host<Wire>;
  readonly #log: StackLog;
  readonly #lead: Lead;
  readonly #isHasty: boolean;
  #queue: Item[] = [];
  /** On this disk, waiting for a quorum. */
  #waiting: { readonly items: readonly Item[]; readonly term: number }[] = [];
  #busy = false;

  constructor(
    host: Host<Wire>,
    { log, lead, isHasty }: { readonly log: StackLog; readonly lead: Lead; readonly isHasty: boolean },
  ) {
    this.#host = host;
    this.#log = log;
    this.#lead = lead;
    this.#isHasty = isHasty;
  }

  submit(id: string, command: Uint8Array, done: (kept: Kept) => void): void {
    this.#queue.push({ id, command, done });
    if (this.#busy) return;
    this.#busy = true;
    this.#host.after(WINDOW_MS, () => {
      const items = this.#queue;
      this.#queue = [];
      this.#busy = false;
      this.#lead.take((term) => this.#append(items, term));
    });
  }

  /** After each step of the log. */
  settle(): void {
    const { outcomes } = this.#log;
    this.#waiting = this.#waiting.filter(({ items, term }) => {
      const open = items.some(({ id }) => !outcomes.has(id));
      if (open && this.#log.leads(term)) return true;
      for (const { id, done } of items) {
        const index = outcomes.get(id);
        done(index === undefined ? { code: "unknown" } : { index });
      }
      return false;
    });
  }

  #append(items: readonly Item[], term: number | undefined): void {
    if (term === undefined) {
      for (const { done } of items) done({ code: "no-leader" });
      return;
    }
    let lost = false;
    this.#log.feed(
      () => {
        lost = !this.#log.leads(term);
        const drafts = lost ? [] : this.#fresh(items);
        return drafts.length > 0 ? { kind: "append", drafts } : undefined;
      },
      (problem) => {
        if (problem === "full") for (const { done } of items) done({ code: "disk-full" });
        else if (lost || problem !== undefined) for (const { done } of items) done({ code: "no-leader" });
        else this.#appended(items, term);
      },
    );
  }

  #appended(items: readonly Item[], term: number): void {
    this.#waiting.push({ items, term });
    if (this.#isHasty) for (const { id, done } of items) done({ index: this.#indexOf(id) ?? 0 });
    this.settle();
  }

  #indexOf(id: string): number | undefined {
    return this.#log.core.tail.find((entry) => entry.id === id)?.index ?? this.#log.outcomes.get(id);
  }

  #fresh(items: readonly Item[]): readonly Item[] {
    const seen = new Set<string>();
    return items.filter(({ id }) => {
      const isNew = this.#indexOf(id) === undefined && !seen.has(id);
      seen.add(id);
      return isNew;
    });
  }
}
